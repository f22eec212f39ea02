#include "sys/users.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::sys;

namespace {

using Groups = std::vector<gid_t>;

/// An image's two files.
struct Image {
  Image() {
    directory.write("passwd",
                    "root:x:0:0:root:/root:/bin/bash\n"
                    "# a comment\n"
                    "broken:x:no:1\n"
                    "trainer:x:1000:100:Trainer,,,:/home/trainer:/bin/sh\r\n"
                    "2000:x:7:8::/:/bin/sh\n"
                    "high:x:4294967295:1::/:\n"
                    "groupless:x:9\n");
    directory.write(
        "group",
        "root:x:0:\nusers:x:100:\nvideo:x:44:trainer,other\nrender:x:105:other,trainer\n"
        "again:x:44:trainer\nnobody-in-it:x:60:trainer2\n");
  }
  Result<Credentials> find(std::string_view spec) const {
    return find_user(spec, directory / "passwd", directory / "group");
  }
  std::string error(std::string_view spec) const {
    const Result<Credentials> found = find(spec);
    REQUIRE_FALSE(found);
    return found.error().message;
  }
  TemporaryDirectory directory;
};

void check(const Result<Credentials>& found, uid_t uid, gid_t gid, const Groups& groups) {
  REQUIRE(found);
  CHECK(found->uid == uid);
  CHECK(found->gid == gid);
  CHECK(found->groups == groups);
}

struct stat status_of(const std::string& path) {
  struct stat status = {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

}  // namespace

TEST_CASE("a user has the group of the line and those that list the name") {
  const Image image;
  check(image.find("trainer"), 1000, 100, {100, 44, 105});
  check(image.find("1000"), 1000, 100, {100, 44, 105});
  check(image.find("root"), 0, 0, {0});
}

TEST_CASE("a group that is given is the only one") {
  const Image image;
  check(image.find("trainer:video"), 1000, 44, {44});
  check(image.find("trainer:7777"), 1000, 7777, {7777});
  check(image.find("4321:video"), 4321, 44, {44});
}

TEST_CASE("a number that has no line is a user of group 0, as Docker has it") {
  const Image image;
  check(image.find("4321"), 4321, 0, {0});
  const TemporaryDirectory scratch;
  check(find_user("4321:5", scratch / "passwd", scratch / "group"), 4321, 5, {5});
}

TEST_CASE("a name that looks like a number is a name") { check(Image().find("2000"), 7, 8, {8}); }

TEST_CASE("whom nobody knows is an error that names the file and what was asked for") {
  const Image image;
  CHECK(image.error("trainee:video")
            .starts_with("no user is called \"trainee\" in " + image.directory / "passwd" +
                         " (--user trainee:video)"));
  CHECK(image.error("trainer:audio")
            .starts_with("no group is called \"audio\" in " + image.directory / "group"));
  CHECK(image.error("").find("NAME|UID") != std::string::npos);
  CHECK(image.error("trainer:").find("NAME|UID") != std::string::npos);
  CHECK(image.error(":users").find("NAME|UID") != std::string::npos);
  CHECK(image.error("groupless").find("has no group id") != std::string::npos);
  for (const char* none : {"broken", "high", "-1", "4294967295", "4294967296", "10x"}) {
    CAPTURE(none);
    CHECK(image.error(none).find("no user is called") != std::string::npos);
  }
  CHECK(find_user("trainer", "/none/passwd").error().message.find("which cannot be read") !=
        std::string::npos);
}

TEST_CASE("a tree is given whole, and links are given themselves") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root gives files away");
    return;
  }
  const TemporaryDirectory base;
  base.write("tree/a/b/file", "x");
  base.write("outside/file", "x");
  REQUIRE(::symlink("../outside", (base / "tree/link").c_str()) == 0);
  REQUIRE(give_ownership(base / "tree/", 1234, 5678));
  for (const char* name : {"tree", "tree/a", "tree/a/b", "tree/a/b/file", "tree/link"}) {
    CAPTURE(name);
    CHECK(status_of(base / name).st_uid == 1234);
    CHECK(status_of(base / name).st_gid == 5678);
  }
  CHECK(status_of(base / "outside").st_uid == 0);
  CHECK(status_of(base / "outside/file").st_uid == 0);
}

TEST_CASE("a link in the place of the tree is refused, also behind a slash") {
  const TemporaryDirectory base;
  base.write("real/file", "x");
  REQUIRE(::symlink("real", (base / "link").c_str()) == 0);
  for (const std::string& path : {base / "link", base / "link/"}) {
    const Result<void> given = give_ownership(path, ::getuid() + 1, ::getgid());
    REQUIRE_FALSE(given);
    CHECK(given.error().message.find("symbolic link") != std::string::npos);
  }
  CHECK(status_of(base / "real").st_uid == ::getuid());
}

TEST_CASE("a top directory of the system is known by whatever name, and none below it is one") {
  const TemporaryDirectory base;
  for (const char* path : {"/", "//", "/.", "/etc", "/etc/", "/usr/../etc", "/tmp/.", "/proc"}) {
    CAPTURE(path);
    CHECK(is_top_directory(path));
  }
  REQUIRE(::symlink("/", (base / "root").c_str()) == 0);
  CHECK(is_top_directory(base / "root/etc"));
  for (const std::string& path : {base.path, base / "none", std::string("/usr/bin")}) {
    CAPTURE(path);
    CHECK_FALSE(is_top_directory(path));
  }
}

TEST_CASE("a directory is out of reach of whom its mode, or that of one above it, keeps out") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can try as somebody else");
    return;
  }
  const TemporaryDirectory base;
  base.write("a/b/file", "x");
  REQUIRE(::chmod(base.path.c_str(), 0755) == 0);
  const auto kept_out = [&](mode_t above, mode_t itself, const Credentials& user) {
    REQUIRE(::chmod((base / "a").c_str(), above) == 0);
    REQUIRE(::chmod((base / "a/b").c_str(), itself) == 0);
    return is_out_of_reach(base / "a/b", user);
  };
  const Credentials stranger{1234, 1234, {}}, member{1234, 1234, {0}}, root{0, 0, {}};
  CHECK_FALSE(kept_out(0711, 0777, stranger));
  CHECK(kept_out(0700, 0777, stranger));
  CHECK(kept_out(0755, 0755, stranger));
  CHECK(kept_out(0755, 0766, stranger));
  CHECK_FALSE(kept_out(0710, 0770, member));
  CHECK(kept_out(0710, 0770, stranger));
  CHECK_FALSE(kept_out(0700, 0700, root));
  CHECK(::geteuid() == 0);
}

TEST_CASE("what has the right owner already needs no right to be given") {
  const TemporaryDirectory base;
  base.write("a/file", "x");
  CHECK(give_ownership(base.path, ::getuid(), ::getgid()));
  const Result<void> given = give_ownership(base / "none", 1, 1);
  REQUIRE_FALSE(given);
  CHECK(given.error().message.find(base / "none") != std::string::npos);
}

TEST_CASE("a stop signal ends the giving of a large tree") {
  const TemporaryDirectory base;
  base.write("a/b", "");
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, &before);
  ::raise(SIGTERM);
  const Result<void> given = give_ownership(base.path, ::getuid(), ::getgid());
  siginfo_t taken;
  REQUIRE(sigwaitinfo(&stop, &taken) == SIGTERM);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  REQUIRE_FALSE(given);
  CHECK(given.error().message.find("SIGTERM came") != std::string::npos);
}
