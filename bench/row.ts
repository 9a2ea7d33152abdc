/** A row of the benchmarks: one figure beside its floor of the same run, and whether that keeps within its budget. */

export interface Row {
  row: string;
  /** Sites or agents; null where the row has no size. */
  size: number | null;
  /** How the files lie, or another condition the figure holds under; empty where there is only one. */
  layout: string;
  value: number;
  unit: string;
  /** What the same machine gives in the same run to a program that does only the unavoidable; null where there is none. */
  floor: number | null;
  floorName: string;
  /** value / floor */
  ratio: number | null;
  budget: number | null;
  /** What the budget limits: the ratio, or the value itself in its unit. */
  budgetOf: 'ratio' | 'value';
  better: 'lower' | 'higher';
  /** Null where the row has no budget and stands for comparison. */
  within: boolean | null;
  /** Every single measurement behind the value. */
  runs: number[];
  /** What a reader must know beside the figure. */
  note: string;
}

export type Measured = Pick<Row, 'row' | 'value' | 'unit'> &
  Partial<Omit<Row, 'row' | 'value' | 'unit' | 'ratio' | 'within'>>;

/** Works out ratio and judgement, and fills in what was left out. */
export function judged(measured: Measured): Row {
  const filled = {
    size: null,
    layout: '',
    floor: null,
    floorName: '',
    budget: null,
    budgetOf: 'ratio' as const,
    better: 'lower' as const,
    runs: [measured.value],
    note: '',
    ...measured,
  };
  const ratio = filled.floor === null || filled.floor === 0 ? null : filled.value / filled.floor;
  const limited = filled.budgetOf === 'ratio' ? ratio : filled.value;
  return { ...filled, ratio, within: isWithin(limited, filled.budget, filled.better) };
}

function isWithin(limited: number | null, budget: number | null, better: Row['better']): boolean | null {
  if (limited === null || budget === null) return null;
  return better === 'lower' ? limited <= budget : limited >= budget;
}
