#include "json_line.h"

#include "libc_api.h"

static char line[64 * 1024];
static size_t length;
static int descriptor = 1;

static void put_char(char character) {
  if (length < sizeof line) line[length] = character;
  ++length;
}

void write_lines_to(int fd) { descriptor = fd; }

void begin_line(void) {
  length = 0;
  put_char('{');
}

void put_raw(const char* text) {
  while (*text != 0) put_char(*text++);
}

void put_number(unsigned long long number) {
  if (number >= 10) put_number(number / 10);
  put_char((char)('0' + number % 10));
}

static void put_escaped(unsigned char byte) {
  static const char digits[] = "0123456789abcdef";
  put_raw("\\u00");
  put_char(digits[byte >> 4]);
  put_char(digits[byte & 15]);
}

void put_string(const char* text) {
  put_char('"');
  for (; *text != 0; ++text) {
    const unsigned char byte = (unsigned char)*text;
    if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\') {
      put_escaped(byte);
    } else {
      put_char(*text);
    }
  }
  put_char('"');
}

void put_name(const char* name) {
  const int first = length > 0 && length <= sizeof line && line[length - 1] == '{';
  if (!first) put_char(',');
  put_string(name);
  put_char(':');
}

int write_line(void) {
  put_char('\n');
  if (length > sizeof line) return 1;
  for (size_t done = 0; done < length;) {
    const long count = write(descriptor, line + done, length - done);
    if (count <= 0) return 1;
    done += (size_t)count;
  }
  return 0;
}
