#include "sys/first_line.h"

#include <doctest/doctest.h>

#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::sys;

namespace {

FirstLine of(std::string_view content) {
  const TemporaryDirectory directory;
  return read_first_line(directory.write("program", content));
}

}  // namespace

TEST_CASE("a script's first line names its interpreter, with what is handed to it") {
  const FirstLine line = of("#! /usr/bin/env  bash\necho\n");
  CHECK(line.script);
  CHECK(line.command == "/usr/bin/env  bash");
  CHECK(line.interpreter() == "/usr/bin/env");
  CHECK_FALSE(line.windows_line_end);
  CHECK(of("#!/bin/sh").interpreter() == "/bin/sh");
  CHECK(of("#!").interpreter().empty());
}

TEST_CASE("a Windows line end is told of scripts and of other texts") {
  CHECK(
      of("#!/usr/bin/env bash\r\necho\r\n").windows_complaint() ==
      "its first line names /usr/bin/env bash\\r: the file has Windows line ends; save it with LF");
  const FirstLine line = of("echo\r\n");
  CHECK(line.windows_line_end);
  CHECK_FALSE(line.script);
  CHECK(line.windows_complaint() == "the file has Windows line ends; save it with LF");
  CHECK_FALSE(of("echo\nls\r\n").windows_line_end);
  CHECK_FALSE(of("echo\r").windows_line_end);
}

TEST_CASE("a long script is a script, and of one long line nothing is known") {
  CHECK(of("#!/bin/sh\n" + std::string(2 << 20, 'x')).script);
  CHECK_FALSE(of("#!" + std::string(5000, 'x') + "\n").script);
  CHECK_FALSE(of("").script);
  CHECK_FALSE(read_first_line("/no/such/file").script);
  CHECK_FALSE(read_first_line("/").script);
}
