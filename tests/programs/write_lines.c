// write_lines BYTES LENGTH: writes lines of LENGTH bytes each to stdout as fast as they are taken,
// as many as fit into BYTES, about 64 KiB at a time.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const size_t length = strtoull(argv[2], NULL, 10);
  if (length == 0) return 2;
  const size_t lines = length < 65536 ? 65536 / length : 1;
  const size_t piece = lines * length;
  char* buffer = malloc(piece);
  if (buffer == NULL) return 2;
  for (size_t i = 0; i < piece; ++i) buffer[i] = i % length == length - 1 ? '\n' : 'x';
  size_t left = strtoull(argv[1], NULL, 10) / length * length;
  for (size_t done = 0; left > 0;) {
    const size_t rest = piece - done;
    const ssize_t count = write(1, buffer + done, rest < left ? rest : left);
    if (count <= 0) return 1;
    left -= (size_t)count;
    done = (done + (size_t)count) % piece;
  }
  return 0;
}
