/** Sealing: a stream encrypted and authenticated with a passphrase, and the way back, which shows nothing unless all of it is genuine. */
import { createCipheriv, createDecipheriv, randomBytes, type ScryptOptions, scrypt } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { Strict } from '../../protocol/values.ts';

const MAGIC = 'EVENKEEL-BACKUP 1\n';
const TAG_BYTES = 16;
const LONGEST_HEADER = 1024;

/** How the key is made of the passphrase. The bounds keep a crafted file from taking all memory. */
const Header = Strict({
  cipher: Type.Literal('aes-256-gcm'),
  kdf: Type.Literal('scrypt'),
  N: Type.Integer({ minimum: 16_384, maximum: 1_048_576 }),
  r: Type.Integer({ minimum: 8, maximum: 16 }),
  p: Type.Integer({ minimum: 1, maximum: 4 }),
  salt: Type.String({ pattern: '^[A-Za-z0-9+/]{22}==$' }),
  iv: Type.String({ pattern: '^[A-Za-z0-9+/]{16}$' }),
});
type Header = Static<typeof Header>;
const validator = Compile(Header);

/** 128 MiB and about half a second for each guess. */
const COST = { N: 131_072, r: 8, p: 1 };

function keyFor(passphrase: string, { N, r, p, salt }: Header): Promise<Buffer> {
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r };
  return new Promise((resolve, reject) =>
    scrypt(passphrase.normalize('NFC'), Buffer.from(salt, 'base64'), 32, options, (err, key) =>
      err ? reject(err) : resolve(key),
    ),
  );
}

/** The plain stream sealed, piece by piece. */
export async function* seal(plain: AsyncIterable<Buffer>, passphrase: string): AsyncGenerator<Buffer> {
  const header: Header = {
    ...{ cipher: 'aes-256-gcm', kdf: 'scrypt', ...COST },
    salt: randomBytes(16).toString('base64'),
    iv: randomBytes(12).toString('base64'),
  };
  const opening = Buffer.from(`${MAGIC}${JSON.stringify(header)}\n`);
  const key = await keyFor(passphrase, header);
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.from(header.iv, 'base64')).setAAD(opening);
  yield opening;
  for await (const piece of plain) yield cipher.update(piece);
  yield cipher.final();
  yield cipher.getAuthTag();
}

/**
 * Opens a sealed file. Nothing comes out before the whole of it was found genuine: it is read twice.
 * @throws EvenkeelError backup-invalid
 */
export async function* unseal(file: string, passphrase: string): AsyncGenerator<Buffer> {
  const sealed = await readEnds(file);
  const key = await keyFor(passphrase, sealed.header);
  try {
    for await (const _ of decrypt(file, sealed, key));
  } catch (cause) {
    throw invalid(file, 'the passphrase is wrong, or the file is damaged', cause);
  }
  yield* decrypt(file, sealed, key);
}

interface Sealed {
  header: Header;
  opening: Buffer;
  tag: Buffer;
  /** Where the ciphertext ends. */
  end: number;
}

async function* decrypt(file: string, { header, opening, tag, end }: Sealed, key: Buffer) {
  const iv = Buffer.from(header.iv, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(opening).setAuthTag(tag);
  if (end > opening.length)
    for await (const piece of createReadStream(file, { start: opening.length, end: end - 1 }))
      yield decipher.update(piece as Buffer);
  yield decipher.final();
}

async function readEnds(file: string): Promise<Sealed> {
  const handle = await open(file).catch((cause: unknown) => {
    throw invalid(file, messageOf(cause), cause);
  });
  try {
    const opening = await readOpening(handle);
    const header = opening && headerIn(opening);
    const { size } = await handle.stat();
    const end = size - TAG_BYTES;
    if (!header || end < opening.length) throw invalid(file, 'it is not a backup of Evenkeel, or cut off');
    const tag = Buffer.alloc(TAG_BYTES);
    await handle.read(tag, 0, TAG_BYTES, end);
    return { header, opening, tag, end };
  } finally {
    await handle.close();
  }
}

/** The magic line and the header line, or nothing. */
async function readOpening(handle: FileHandle): Promise<Buffer | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(LONGEST_HEADER), 0, LONGEST_HEADER, 0);
  const start = buffer.subarray(0, bytesRead);
  const end = start.indexOf('\n', MAGIC.length);
  return start.indexOf(MAGIC) === 0 && end > 0 ? start.subarray(0, end + 1) : undefined;
}

function headerIn(opening: Buffer): Header | undefined {
  try {
    const header: unknown = JSON.parse(opening.subarray(MAGIC.length).toString());
    return validator.Check(header) ? header : undefined;
  } catch {
    return undefined; // it is no JSON, so it is no header
  }
}

const invalid = (file: string, why: string, cause?: unknown) =>
  new EvenkeelError('backup-invalid', `${file}: ${why}`, { cause });
