#include "check/libraries.h"

#include <unistd.h>

#include "hardware/machine.h"

using namespace trainit;
using namespace trainit::check;

TEST_CASE("libraries are looked for where LD_LIBRARY_PATH says first, and count once") {
  const Machine image;
  image.write("own/libnccl.so.2");
  image.write("usr/lib64/libnccl.so.2");
  REQUIRE(::symlink((image / "usr/lib64").c_str(), (image / "usr/lib").c_str()) == 0);
  Environment environment;
  environment.set("LD_LIBRARY_PATH", ":" + image / "own" + ":/nowhere", "test");
  const auto directories = library_directories(environment, image / "");
  CHECK(directories == std::vector<std::string>{image / "own", image / "" + "/usr/lib64"});
  CHECK(find_libraries(directories, {"libnccl.so.2"}).size() == 2);
  CHECK(find_libraries(directories, {"libnccl.so.2"})[0] == image / "own/libnccl.so.2");
  CHECK(find_libraries(directories, {"libfabric.so.1"}).empty());
}
