#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <string_view>

#include "sys/files.h"

/// Puts a file there, in place of another one.
inline void write_file(const std::string& path, std::string_view content, mode_t mode = 0644) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  REQUIRE(file.good());
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

/// A directory of a test's own, which goes with it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { [[maybe_unused]] const int ended = ::system(("rm -rf " + path).c_str()); }

  std::string operator/(std::string_view name) const { return path + "/" + std::string(name); }

  /// A file below, with the directories on the way.
  std::string write(std::string_view name, std::string_view content) const {
    const std::string file = *this / name;
    REQUIRE(trainit::sys::make_directories(file.substr(0, file.rfind('/'))));
    write_file(file, content);
    return file;
  }

  std::string path = "/tmp/trainit-unit-XXXXXX";
};
