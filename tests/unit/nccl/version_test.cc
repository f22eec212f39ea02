#include "nccl/version.h"

#include <doctest/doctest.h>

using trainit::nccl::check_versions;
using trainit::nccl::version_text;

TEST_CASE("NCCL's version numbers are read in both of their forms") {
  CHECK(version_text(22707) == "2.27.7");
  CHECK(version_text(20906) == "2.9.6");
  CHECK(version_text(2804) == "2.8.4");
  CHECK(version_text(30100) == "3.1.0");
}

TEST_CASE("a library fits a header that is as old as it is, or older") {
  CHECK(check_versions(22707, 22707, "l"));
  CHECK(check_versions(22707, 22703, "l"));  // within a minor version nothing is added
  CHECK(check_versions(22707, 23000, "l"));
  CHECK(check_versions(2804, 22707, "l"));
}

TEST_CASE("a library that is older than the header, or of another major version, is named") {
  CHECK(check_versions(22707, 22605, "/lib/libnccl.so.2").error().message ==
        "/lib/libnccl.so.2 is NCCL 2.26.5, and the program was compiled with the header of NCCL "
        "2.27.7: it needs 2.27 or a later 2");
  CHECK_FALSE(check_versions(22707, 2804, "l"));
  CHECK_FALSE(check_versions(22707, 30000, "l"));
  CHECK_FALSE(check_versions(30000, 22707, "l"));
}
