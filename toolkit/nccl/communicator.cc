// A communicator from the environment: the ranks meet in the store, then NCCL connects them.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "base/text.h"
#include "nccl/handle.h"
#include "nccl/meeting.h"
#include "trainit/nccl.h"

namespace trainit::nccl {
namespace {

using std::chrono::milliseconds;

Result<int> number_from(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return fail(fmt::format("{} is not set: which rank is this?", name));
  const auto number = parse_number<int>(value);
  if (!number) return fail(fmt::format("{} is \"{}\": expected a number", name, value));
  return *number;
}

/// Everything that can be wrong with it is the same on each rank, or this rank's own mistake.
Result<Party> party_of(int rank, int world_size, const Options& options) {
  if (rank < 0 || rank >= world_size)
    return fail(fmt::format("there is no rank {} of {}", rank, world_size));
  Party party{options.name, options.ranks, 0};
  if (party.ranks.empty()) {
    for (int one = 0; one < world_size; ++one) party.ranks.push_back(one);
  }
  std::set<int> seen;
  for (const int one : party.ranks) {
    if (one < 0 || one >= world_size)
      return fail(fmt::format("the ranks of the communicator \"{}\": there is no rank {} of {}",
                              party.name, one, world_size));
    if (!seen.insert(one).second)
      return fail(fmt::format("the ranks of the communicator \"{}\": rank {} stands there twice",
                              party.name, one));
  }
  const auto place = std::find(party.ranks.begin(), party.ranks.end(), rank);
  if (place == party.ranks.end())
    return fail(
        fmt::format("rank {} is none of the ranks of the communicator \"{}\"", rank, party.name));
  party.index = static_cast<int>(place - party.ranks.begin());
  return party;
}

Patience patience_of(const Options& options) {
  constexpr milliseconds kLongest = std::chrono::hours(24 * 365);
  const milliseconds timeout = std::clamp(options.timeout, milliseconds(0), kLongest);
  return {timeout, sys::Clock::now() + timeout, options.stop_requested};
}

/// Like MPI's, the id is opaque bytes.
Result<ncclUniqueId> exchange_id(Meeting& meeting, const Library& library, bool first) {
  ncclUniqueId id = {};
  if (first) {
    const ncclResult_t result = library.get_unique_id(&id);
    if (result != ncclSuccess) return library.error("ncclGetUniqueId", result, nullptr);
    TRAINIT_TRY(meeting.hand_out({id.internal, sizeof id.internal}));
    return id;
  }
  const std::string bytes = TRAINIT_TRY(meeting.receive());
  if (bytes.size() != sizeof id.internal) return fail("what came is no ncclUniqueId");
  std::memcpy(id.internal, bytes.data(), bytes.size());
  return id;
}

Result<std::unique_ptr<Handle>> meet_and_connect(Meeting& meeting, const Party& party,
                                                 const Options& options) {
  auto library = TRAINIT_TRY(Library::load(options.library, options.header_version));
  TRAINIT_TRY(meeting.come());
  const auto id = TRAINIT_TRY(exchange_id(meeting, *library, party.index == 0));
  return Handle::connect(std::move(library), id, static_cast<int>(party.ranks.size()), party.index,
                         [&meeting] { return meeting.go_on(); });
}

Result<std::unique_ptr<Handle>> make_handle(StoreClient& store, const Party& party,
                                            const Patience& patience, const Options& options) {
  Meeting meeting = TRAINIT_TRY(Meeting::open(store, party, patience));
  auto handle = meet_and_connect(meeting, party, options);
  if (!handle) return meeting.give_up(handle.error());
  return handle;
}

Result<void> moved() { return fail("this communicator was moved from: nothing is left of it"); }

}  // namespace

Result<Communicator> Communicator::from_environment(const Options& options) {
  const Patience patience = patience_of(options);
  const int rank = TRAINIT_TRY(number_from("RANK"));
  const int world_size = TRAINIT_TRY(number_from("WORLD_SIZE"));
  const Party party = TRAINIT_TRY(party_of(rank, world_size, options));
  auto store = TRAINIT_TRY(StoreClient::connect_from_environment(patience.timeout));
  auto handle = TRAINIT_TRY(make_handle(store, party, patience, options));
  return Communicator(std::move(handle), party.name, patience.timeout, party.index,
                      static_cast<int>(party.ranks.size()));
}

Result<Communicator> Communicator::create(StoreClient& store, int rank, int world_size,
                                          const Options& options) {
  const Patience patience = patience_of(options);
  const Party party = TRAINIT_TRY(party_of(rank, world_size, options));
  auto handle = TRAINIT_TRY(make_handle(store, party, patience, options));
  return Communicator(std::move(handle), party.name, patience.timeout, party.index,
                      static_cast<int>(party.ranks.size()));
}

Communicator::Communicator(std::unique_ptr<Handle> handle, std::string name,
                           std::chrono::milliseconds timeout, int rank, int size)
    : handle_(std::move(handle)),
      name_(std::move(name)),
      timeout_(timeout),
      rank_(rank),
      size_(size) {}

Communicator::Communicator(Communicator&&) noexcept = default;

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  close();
  handle_ = std::move(other.handle_);
  name_ = std::move(other.name_);
  timeout_ = other.timeout_;
  rank_ = other.rank_;
  size_ = other.size_;
  return *this;
}

Communicator::~Communicator() { close(); }

ncclComm_t Communicator::get() const { return handle_ ? handle_->get() : nullptr; }

/// With the name in front of its error.
Result<void> Communicator::named(Result<void> result) const {
  if (!result) return fail(fmt::format("the communicator \"{}\"", name_), result.error());
  return result;
}

/// From now on.
std::function<Result<void>()> Communicator::patience() const {
  const auto deadline = sys::Clock::now() + timeout_;
  return [deadline, timeout = timeout_]() -> Result<void> {
    if (sys::Clock::now() < deadline) return {};
    const double seconds = std::chrono::duration<double>(timeout).count();
    return fail(
        fmt::format("NCCL has not done what it was asked for within {}", human_seconds(seconds)));
  };
}

Result<void> Communicator::settle(ncclResult_t result) {
  if (!handle_) return moved();
  return named(handle_->settle("NCCL", result, patience()));
}

Result<void> Communicator::check() { return handle_ ? named(handle_->check()) : moved(); }

Result<void> Communicator::close() {
  return handle_ ? named(handle_->close(patience())) : Result<void>();
}

void Communicator::abort() {
  if (handle_) handle_->abort();
}

void* Communicator::symbol(const char* name) const {
  return handle_ ? handle_->library().function(name) : nullptr;
}

}  // namespace trainit::nccl
