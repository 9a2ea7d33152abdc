/* The floor of a sweep: stat every file named in a list, one per line, several times; prints the milliseconds of each time. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *list = fopen(argv[1], "r");
  size_t room = 1024, count = 0, length = 0;
  char **paths = malloc(room * sizeof *paths), *line = NULL;
  if (!list || !paths) return 1;
  while (getline(&line, &length, list) > 0) {
    line[strcspn(line, "\n")] = 0;
    if (count == room && !(paths = realloc(paths, (room *= 2) * sizeof *paths))) return 1;
    paths[count++] = strdup(line);
  }
  for (int times = atoi(argv[2]); times > 0; times--) {
    double begun = now();
    struct stat stat;
    for (size_t at = 0; at < count; at++)
      if (lstat(paths[at], &stat)) return perror(paths[at]), 1;
    printf("%.4f\n", now() - begun);
  }
  return 0;
}
