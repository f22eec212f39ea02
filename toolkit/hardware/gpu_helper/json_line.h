// One line of JSON in a buffer of fixed size. What does not fit is an error of the whole line.
#pragma once

/// Forgets what was put and opens an object.
void begin_line(void);
void put_raw(const char* text);
void put_number(unsigned long long number);
/// In quotes; bytes beyond ASCII become the characters of Latin-1 with these numbers.
void put_string(const char* text);
/// `,"NAME":`, or without the comma right after an opening bracket.
void put_name(const char* name);
/// Writes the line to stdout; 0 when all of it was written.
int write_line(void);
/// Where lines go from now on instead of stdout.
void write_lines_to(int fd);
