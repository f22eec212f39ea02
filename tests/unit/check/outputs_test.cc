#include "check/outputs.h"

#include "temporary_directory.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

constexpr std::uint64_t kGigabyte = std::uint64_t{1} << 30;

OutputFacts one(DirectoryFacts directory) {
  OutputFacts facts;
  facts.directories = {std::move(directory)};
  facts.on_platform = true;
  return facts;
}

DirectoryFacts healthy(const std::string& path) {
  return {path, path, "", 1, 100 * kGigabyte, 50 * kGigabyte, 1'000'000, 900'000};
}

}  // namespace

TEST_CASE("room and a directory that takes files are nothing to tell of") {
  check_told(judge_outputs(one(healthy("/m"))), {});
  DirectoryFacts endless = healthy("/m");
  endless.blocks = endless.free = endless.nodes = endless.free_nodes = 0;
  check_told(judge_outputs(one(endless)), {});
}

TEST_CASE("little room is a warning, and none an error") {
  DirectoryFacts directory = healthy("/m");
  directory.free = kGigabyte - 1;
  check_told(judge_outputs(one(directory)), {"warning: "});
  directory.free = 10 << 20;
  check_told(judge_outputs(one(directory)), {"warning: 10 MB of 100 GB are free for /m"});
  directory.free = (10 << 20) - 1;
  check_told(judge_outputs(one(directory)), {"error: "});
}

TEST_CASE("a file system may run out of files, too") {
  DirectoryFacts directory = healthy("/m");
  directory.free_nodes = 999;
  check_told(judge_outputs(one(directory)), {"warning: only 999 more files can be made for /m"});
  directory.free_nodes = 9;
  check_told(judge_outputs(one(directory)), {"error: only 9 more files"});
}

TEST_CASE("directories of one file system are told of together") {
  OutputFacts facts = one(healthy("/m"));
  facts.directories.push_back(healthy("/o"));
  for (DirectoryFacts& directory : facts.directories) directory.free = 1 << 20;
  check_told(judge_outputs(facts), {"error: 1 MB of 100 GB are free for /m, /o"});
  facts.directories[1].device = 2;
  check_told(judge_outputs(facts),
             {"error: 1 MB of 100 GB are free for /m", "error: 1 MB of 100 GB are free for /o"});
}

TEST_CASE("a directory that takes no file is an error on a platform") {
  DirectoryFacts directory = healthy("/m");
  directory.write_error = "Read-only file system (EROFS)";
  OutputFacts facts = one(directory);
  check_told(judge_outputs(facts), {"error: /m cannot be written to: Read-only"});
  facts.on_platform = false;
  check_told(judge_outputs(facts), {"warning: /m cannot be written to"});
  facts.directories[0].looked_at = "/";
  check_told(judge_outputs(facts), {"warning: /m is not there, and cannot be made in /"});
}

TEST_CASE("a full disk is told of once") {
  DirectoryFacts directory = healthy("/m");
  directory.free = 0;
  directory.write_error = "No space left on device (ENOSPC)";
  check_told(judge_outputs(one(directory)), {"error: 0 bytes of 100 GB are free for /m"});
}

TEST_CASE("a file system that does not answer is told of") {
  OutputFacts facts;
  facts.trouble = "looking at directories: it did not answer in time";
  check_told(judge_outputs(facts), {"warning: the job's directories could not be looked at"});
}

TEST_CASE("a directory that is to be made is looked at where it will be, and nothing is left") {
  const TemporaryDirectory base;
  Subject subject;
  subject.job.paths = Paths::below(base / "a/b");
  const OutputFacts facts = output_facts(subject);
  REQUIRE(facts.directories.size() == 3);
  CHECK(facts.trouble.empty());
  CHECK(facts.directories[0].path == base / "a/b/model");
  CHECK(facts.directories[0].looked_at == base.path);
  CHECK(facts.directories[0].write_error.empty());
  CHECK(facts.directories[0].blocks > 0);
  CHECK(sys::list_directory(base.path)->empty());
}
