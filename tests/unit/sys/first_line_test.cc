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
      of("#!/usr/bin/env bash\r\necho\r\n").complaint() ==
      "its first line names /usr/bin/env bash\\r: the file has Windows line ends; save it with LF");
  const FirstLine line = of("echo\r\n");
  CHECK(line.windows_line_end);
  CHECK_FALSE(line.script);
  CHECK(line.complaint() == "the file has Windows line ends; save it with LF");
  CHECK_FALSE(of("echo\nls\r\n").windows_line_end);
  CHECK_FALSE(of("echo\r").windows_line_end);
}

TEST_CASE("a byte order mark is told, because nobody finds the #! behind it") {
  const FirstLine line = of("\xEF\xBB\xBF#!/bin/bash\necho\n");
  CHECK(line.byte_order_mark);
  CHECK_FALSE(line.script);
  CHECK(line.complaint() ==
        "the file begins with a byte order mark (BOM), which counts as a part of its first line; "
        "save it as UTF-8 without one");
  CHECK(of("\xEF\xBB\xBF#!/bin/bash\r\n")
            .complaint()
            .ends_with("without one, and with LF for its Windows line ends"));
  CHECK_FALSE(of("echo \xEF\xBB\xBF\n").byte_order_mark);
  CHECK(of("#!/bin/bash\n").complaint().empty());
}

TEST_CASE("the first Windows line end is found wherever it stands in a file's beginning") {
  const TemporaryDirectory directory;
  const auto line_in = [&](const std::string& content) {
    return first_windows_line(directory.write("script", content));
  };
  CHECK(line_in("echo\r\n") == 1);
  CHECK(line_in("echo\n\necho\r\necho\r\n") == 3);
  CHECK(line_in("echo\n") == 0);
  CHECK(line_in("50%\r100%\n\r") == 0);
  CHECK(line_in(std::string(65'000, '\n') + "\r\n") == 65'001);
  CHECK(line_in(std::string(66'000, '\n') + "\r\n") == 0);
  CHECK(first_windows_line("/no/such/file") == 0);
}

TEST_CASE("shells are known by the name of the interpreter, also where env looks for it") {
  for (const char* line : {"#!/bin/sh\n", "#! /usr/bin/bash -e\n", "#!/usr/bin/env bash\n",
                           "#!/usr/bin/env -S A=b zsh -e\n"}) {
    CHECK_MESSAGE(of(line).names_shell(), line);
  }
  for (const char* line : {"#!/usr/bin/python3\n", "#!/usr/bin/env python3\n", "#!/usr/bin/pwsh\n",
                           "#!/usr/bin/env\n", "#!\n", "echo\n", ""}) {
    CHECK_FALSE_MESSAGE(of(line).names_shell(), line);
  }
}

TEST_CASE("a long script is a script, and of one long line nothing is known") {
  CHECK(of("#!/bin/sh\n" + std::string(2 << 20, 'x')).script);
  CHECK_FALSE(of("#!" + std::string(5000, 'x') + "\n").script);
  CHECK_FALSE(of("").script);
  CHECK_FALSE(read_first_line("/no/such/file").script);
  CHECK_FALSE(read_first_line("/").script);
}
