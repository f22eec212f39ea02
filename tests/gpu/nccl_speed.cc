// What the Communicator costs beside NCCL alone: the time until all ranks are connected, and the
// bandwidth of all-reduces. Rank 0 prints a line of JSON for each measurement.
//
//   nccl-speed STARTS ROUNDS MEGABYTES…
//
// "ncclCommInitRank" is measured from when each rank has the id, without the way of the id to it;
// what the Communicator takes includes that the ranks meet and the id is handed out. The times are
// those of the slowest rank, and of several the middle one. The all-reduces are out of place: in
// place, a single rank has nothing to do. The bandwidth is that of the bus as nccl-tests counts it,
// or with a single rank, which has no bus and copies, that of the memory that is reduced.
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <trainit/nccl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using trainit::Result;
using trainit::StoreClient;
using trainit::nccl::Communicator;

namespace {

using Seconds = std::chrono::duration<double>;

int variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::atoi(value) : 0;
}

const int rank = variable("RANK"), size = variable("WORLD_SIZE");

template <class Function>
Function* nccl(const char* name) {
  static void* library = ::dlopen("libnccl.so.2", RTLD_NOW);
  return library == nullptr ? nullptr : reinterpret_cast<Function*>(::dlsym(library, name));
}

Result<void> cuda(cudaError_t error) {
  if (error == cudaSuccess) return {};
  return trainit::fail(std::string("CUDA: ") + cudaGetErrorString(error));
}

Result<void> check(ncclResult_t result) {
  if (result == ncclSuccess) return {};
  return trainit::fail(std::string("NCCL: ") +
                       nccl<decltype(ncclGetLastError)>("ncclGetLastError")(nullptr));
}

/// All ranks leave it when the last has come.
Result<void> meet(StoreClient& store) {
  static int times = 0;
  const std::string key = "nccl-speed/" + std::to_string(times++);
  if (TRAINIT_TRY(store.add(key, 1)) == size) TRAINIT_TRY(store.set(key + "/all", ""));
  return store.wait({key + "/all"});
}

/// The time of the slowest rank, known to rank 0.
Result<double> slowest(StoreClient& store, double seconds) {
  static int times = 0;
  const std::string key = "nccl-speed/time/" + std::to_string(times++) + "/";
  TRAINIT_TRY(store.set(key + std::to_string(rank), std::to_string(seconds)));
  for (int other = 0; rank == 0 && other < size; ++other) {
    const std::string text = TRAINIT_TRY(store.get(key + std::to_string(other)));
    seconds = std::max(seconds, std::atof(text.c_str()));
  }
  return seconds;
}

Result<double> time_of(StoreClient& store, const std::function<Result<void>()>& work) {
  TRAINIT_TRY(meet(store));
  const auto begin = std::chrono::steady_clock::now();
  TRAINIT_TRY(work());
  return slowest(store, Seconds(std::chrono::steady_clock::now() - begin).count());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The id, without any communicator of this project's.
Result<ncclUniqueId> plain_id(StoreClient& store) {
  static int times = 0;
  const std::string key = "nccl-speed/id/" + std::to_string(times++);
  ncclUniqueId id = {};
  if (rank == 0) {
    TRAINIT_TRY(check(nccl<decltype(ncclGetUniqueId)>("ncclGetUniqueId")(&id)));
    TRAINIT_TRY(store.set(key, {id.internal, sizeof id.internal}));
  } else {
    const std::string bytes = TRAINIT_TRY(store.get(key));
    std::memcpy(id.internal, bytes.data(), std::min(bytes.size(), sizeof id.internal));
  }
  return id;
}

Result<double> start_plain(StoreClient& store, ncclComm_t& comm) {
  const ncclUniqueId id = TRAINIT_TRY(plain_id(store));
  return time_of(store, [&] {
    return check(nccl<decltype(ncclCommInitRank)>("ncclCommInitRank")(&comm, size, id, rank));
  });
}

void end_plain(ncclComm_t comm) { nccl<decltype(ncclCommDestroy)>("ncclCommDestroy")(comm); }

Result<double> time_plain(StoreClient& store) {
  ncclComm_t comm = nullptr;
  const double time = TRAINIT_TRY(start_plain(store, comm));
  end_plain(comm);
  return time;
}

Result<double> time_ours(StoreClient& store) {
  std::optional<Communicator> communicator;
  const double time = TRAINIT_TRY(time_of(store, [&]() -> Result<void> {
    communicator.emplace(TRAINIT_TRY(Communicator::create(store, rank, size)));
    return {};
  }));
  TRAINIT_TRY(communicator->close());
  return time;
}

/// They take turns in being first: what a communicator's end leaves to the driver may slow down
/// the start of the next one.
Result<void> measure_starts(StoreClient& store, int times) {
  struct Way {
    Result<double> (*time)(StoreClient&);
    std::vector<double> times = {};
  } plain{time_plain}, ours{time_ours};
  TRAINIT_TRY(plain.time(store));  // the first one of each also starts CUDA
  TRAINIT_TRY(ours.time(store));
  for (int i = 0; i < times; ++i) {
    for (Way* way : i % 2 == 0 ? std::array{&plain, &ours} : std::array{&ours, &plain})
      way->times.push_back(TRAINIT_TRY(way->time(store)));
  }
  if (rank == 0) {
    std::printf("{\"what\": \"start\", \"ranks\": %d, \"nccl_ms\": %.3f, \"ours_ms\": %.3f}\n",
                size, median(plain.times) * 1000, median(ours.times) * 1000);
  }
  return {};
}

/// Memory of the device, full of zeros.
struct Memory {
  void* data = nullptr;
  ~Memory() { cudaFree(data); }
};

struct Place {
  void *from, *to;
  std::size_t count;  // of floats
  cudaStream_t stream;
};

using AllReduce = std::function<Result<void>(const Place&)>;

Result<double> bandwidth(StoreClient& store, const Place& place, int rounds,
                         const AllReduce& all_reduce) {
  const auto many = [&](int times) -> Result<void> {
    for (int i = 0; i < times; ++i) TRAINIT_TRY(all_reduce(place));
    return cuda(cudaStreamSynchronize(place.stream));
  };
  TRAINIT_TRY(many(std::max(1, rounds / 4)));
  const double seconds = TRAINIT_TRY(time_of(store, [&] { return many(rounds); })) / rounds;
  const double bytes = static_cast<double>(place.count) * sizeof(float);
  return bytes / seconds / 1e9 * (size > 1 ? 2.0 * (size - 1) / size : 1.0);
}

Result<void> measure_all_reduce(StoreClient& store, ncclComm_t plain, Communicator& ours,
                                int rounds, int megabytes) {
  const auto all_reduce = nccl<decltype(ncclAllReduce)>("ncclAllReduce");
  const std::size_t bytes = static_cast<std::size_t>(megabytes) << 20;
  Memory from, to;
  TRAINIT_TRY(cuda(cudaMalloc(&from.data, bytes)));
  TRAINIT_TRY(cuda(cudaMalloc(&to.data, bytes)));
  Place place = {from.data, to.data, bytes / sizeof(float), nullptr};
  TRAINIT_TRY(cuda(cudaStreamCreateWithFlags(&place.stream, cudaStreamNonBlocking)));
  TRAINIT_TRY(cuda(cudaMemsetAsync(place.from, 0, bytes, place.stream)));
  const auto by = [&](ncclComm_t comm, const Place& at) {
    return all_reduce(at.from, at.to, at.count, ncclFloat, ncclSum, comm, at.stream);
  };
  std::vector<double> plain_speeds, our_speeds;
  for (int i = 0; i < 3; ++i) {
    plain_speeds.push_back(TRAINIT_TRY(
        bandwidth(store, place, rounds, [&](const Place& at) { return check(by(plain, at)); })));
    our_speeds.push_back(TRAINIT_TRY(bandwidth(
        store, place, rounds, [&](const Place& at) { return ours.settle(by(ours.get(), at)); })));
  }
  cudaStreamDestroy(place.stream);
  if (rank == 0) {
    std::printf(
        "{\"what\": \"all-reduce\", \"ranks\": %d, \"megabytes\": %d, \"nccl_gb_s\": %.3f, "
        "\"ours_gb_s\": %.3f}\n",
        size, megabytes, median(plain_speeds), median(our_speeds));
  }
  return {};
}

Result<void> measure(int starts, int rounds, const std::vector<int>& megabytes) {
  int devices = 0;
  TRAINIT_TRY(cuda(cudaGetDeviceCount(&devices)));
  TRAINIT_TRY(cuda(cudaSetDevice(variable("LOCAL_RANK") % std::max(devices, 1))));
  if (nccl<decltype(ncclAllReduce)>("ncclAllReduce") == nullptr)
    return trainit::fail("there is no libnccl.so.2");
  auto store = TRAINIT_TRY(StoreClient::connect_from_environment());
  TRAINIT_TRY(measure_starts(store, starts));
  ncclComm_t plain = nullptr;
  TRAINIT_TRY(start_plain(store, plain));
  auto ours = TRAINIT_TRY(Communicator::create(store, rank, size));
  for (const int each : megabytes) {
    TRAINIT_TRY(measure_all_reduce(store, plain, ours, rounds, each));
  }
  end_plain(plain);
  return ours.close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: nccl-speed STARTS ROUNDS MEGABYTES...\n");
    return 2;
  }
  std::vector<int> megabytes;
  for (int i = 3; i < argc; ++i) megabytes.push_back(std::atoi(argv[i]));
  const auto measured = measure(std::atoi(argv[1]), std::atoi(argv[2]), megabytes);
  if (measured) return 0;
  std::fprintf(stderr, "error: %s\n", measured.error().message.c_str());
  return 1;
}
