#include "nccl/meeting.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"

namespace trainit::nccl {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using sys::Clock;

/// What the id's key holds: the id itself, or the reason why there will be none.
constexpr char kThere = '+', kNever = '-';

/// How long a rank that can be told to stop waits before it looks whether it was.
constexpr milliseconds kShortWait = 100ms;
/// Thousands that wait take longer turns, so that the store has other things to do.
constexpr int kRanksPerMillisecond = 10;

/// What a request gets although the deadline is near or over: time to tell the others.
constexpr milliseconds kGrace = 5s;

/// FNV-1a of the ranks in their order.
std::uint64_t digest(const std::vector<int>& ranks) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const int rank : ranks) {
    for (int shift = 0; shift < 32; shift += 8) {
      sum = (sum ^ (static_cast<unsigned>(rank) >> shift & 0xff)) * 0x100000001b3;
    }
  }
  return sum;
}

std::string time_text(milliseconds time) {
  return human_seconds(std::chrono::duration<double>(time).count());
}

}  // namespace

Meeting::Meeting(StoreClient& store, Party party, Patience patience)
    : store_(&store),
      usual_timeout_(store.timeout()),
      party_(std::move(party)),
      patience_(std::move(patience)) {}

Meeting::Meeting(Meeting&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)),
      usual_timeout_(other.usual_timeout_),
      party_(std::move(other.party_)),
      patience_(std::move(other.patience_)),
      path_(std::move(other.path_)),
      next_look_(other.next_look_) {}

Meeting::~Meeting() {
  if (store_ != nullptr) store_->set_timeout(usual_timeout_);
}

Result<Meeting> Meeting::open(StoreClient& store, Party party, Patience patience) {
  Meeting meeting(store, std::move(party), std::move(patience));
  const Party& who = meeting.party_;
  const std::string group = fmt::format("trainit/nccl/{}/{:016x}", who.name, digest(who.ranks));
  const auto call =
      TRAINIT_TRY(meeting.client().add(fmt::format("{}/calls of {}", group, who.index), 1));
  meeting.path_ = fmt::format("{}/{}", group, call);
  return meeting;
}

/// The client, for one request that starts now.
StoreClient& Meeting::client() {
  store_->set_timeout(std::min(usual_timeout_, std::max(left(), kGrace)));
  return *store_;
}

std::string Meeting::key(std::string_view part) const { return fmt::format("{}/{}", path_, part); }

milliseconds Meeting::left() const {
  return std::chrono::ceil<milliseconds>(patience_.deadline - Clock::now());
}

Result<void> Meeting::come() {
  TRAINIT_TRY(client().append(key("who has come"), fmt::format("{}\n", party_.rank())));
  const auto come = TRAINIT_TRY(client().add(key("how many have come"), 1));
  if (come == static_cast<std::int64_t>(party_.ranks.size()))
    TRAINIT_TRY(client().set(key("end of the wait"), "all have come"));
  if (party_.index > 0) return {};
  TRAINIT_TRY(await(key("end of the wait")));
  if (!TRAINIT_TRY(client().check({key("id")}))) return {};
  return heard(TRAINIT_TRY(client().get(key("id"))));
}

Result<void> Meeting::hand_out(std::string_view id) {
  const std::string value =
      TRAINIT_TRY(client().compare_set(key("id"), "", kThere + std::string(id)));
  // One of PyTorch's servers wakes nobody by COMPARE_SET.
  TRAINIT_TRY(client().set(key("id"), value));
  if (value.starts_with(kNever)) return heard(value);
  return {};
}

Result<std::string> Meeting::receive() {
  const std::string value = TRAINIT_TRY(await(key("id")));
  if (!value.starts_with(kThere)) return heard(value);
  return value.substr(1);
}

/// Waits for a key that every end of the wait sets.
Result<std::string> Meeting::await(const std::string& key) {
  const milliseconds turn =
      patience_.stop_requested
          ? kShortWait + milliseconds(party_.ranks.size() / kRanksPerMillisecond)
          : milliseconds::max();
  for (;;) {
    TRAINIT_TRY(check_stop());
    if (left() <= 0ms) return fail(tell(who_is_missing()));
    const Result<void> there = client().wait({key}, std::min(turn, left()));
    if (there || TRAINIT_TRY(client().check({key}))) return client().get(key);
  }
}

Result<void> Meeting::check_stop() {
  if (!patience_.stop_requested || !patience_.stop_requested()) return {};
  return fail(tell(fmt::format("rank {} was told to stop before the communicator \"{}\" was made",
                               party_.rank(), party_.name)));
}

std::string Meeting::who_is_missing() {
  const auto come = client().check({key("who has come")});
  const std::string list =
      come && *come ? client().get(key("who has come")).value_or("") : std::string();
  std::set<int> missing(party_.ranks.begin(), party_.ranks.end());
  for (const std::string_view line : split(list, '\n')) {
    if (const auto rank = parse_number<int>(line)) missing.erase(*rank);
  }
  const std::string time = time_text(patience_.timeout);
  if (missing.empty()) {
    return fmt::format("rank {} has not made the id of the communicator \"{}\" within {}",
                       party_.ranks[0], party_.name, time);
  }
  return fmt::format("{} {} not come to the communicator \"{}\" within {}",
                     name_ranks({missing.begin(), missing.end()}),
                     missing.size() == 1 ? "has" : "have", party_.name, time);
}

/// Whoever waits for the id or for the others ends; who is past that finds the reason in go_on.
/// Returns the first reason that was told, by whatever rank: ours may well be its consequence.
std::string Meeting::tell(const std::string& sentence) {
  const auto id = client().compare_set(key("id"), "", kNever + sentence);
  if (!id) return sentence;
  client().set(key("id"), *id);
  client().set(key("end of the wait"), "one has given up");
  if (id->starts_with(kNever)) return id->substr(1);
  const auto reason = client().compare_set(key("why one has given up"), "", sentence);
  return reason ? *reason : sentence;
}

/// What another rank has told, as it stands in the id's key.
tl::unexpected<Error> Meeting::heard(std::string_view never) {
  return fail(std::string(never.substr(std::min<std::size_t>(1, never.size()))));
}

tl::unexpected<Error> Meeting::give_up(const Error& error) {
  const std::string ours = fmt::format("rank {} could not make the communicator \"{}\": {}",
                                       party_.rank(), party_.name, error.message);
  std::string first = tell(ours);
  if (first != ours) return fail(std::move(first));
  return fail(fmt::format("the communicator \"{}\"", party_.name), error);
}

Result<void> Meeting::go_on() {
  TRAINIT_TRY(check_stop());
  if (left() <= 0ms) {
    return fail(
        tell(fmt::format("NCCL has not connected the ranks of the communicator \"{}\" within {}",
                         party_.name, time_text(patience_.timeout))));
  }
  const auto turn = kShortWait + milliseconds(party_.ranks.size() / kRanksPerMillisecond);
  const auto now = Clock::now();
  if (next_look_ == sys::TimePoint()) next_look_ = now + turn;
  if (now < next_look_) return {};
  next_look_ = now + turn;
  const std::string reason = key("why one has given up");
  if (!TRAINIT_TRY(client().check({reason}))) return {};
  return heard(kNever + TRAINIT_TRY(client().get(reason)));
}

}  // namespace trainit::nccl
