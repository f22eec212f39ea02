#include "store/session.h"

#include <fmt/core.h>

#include <utility>

namespace trainit::store {
namespace {

/// Answers that are put together before they have to be sent.
constexpr std::size_t kManyAnswers = 1 << 20;

constexpr std::string_view kJoinKey = "init/";

/// The first bytes of the current generation: the number of VALIDATE, and the magic.
constexpr std::string_view kGreeting("\x00\xCE\xF7\x85\x3C", 5);

// The numbers of the older generations.
constexpr unsigned char kOlderWatch = 7;   ///< before 2.1; there it is DELETE_KEY
constexpr unsigned char kOlderDelete = 8;  ///< before 2.1; there it is APPEND
constexpr unsigned char kOlderLast = 11;

}  // namespace

Session::Session(ClientId client, std::string place, SessionContext& context)
    : context_(context), client_(client), place_(std::move(place)) {}

Session::~Session() {
  if (!space_) return;
  space_->store.stop_waiting(client_);
  if (joined_) context_.spaces.leave(process(), *space_);
}

Process Session::process() const { return pid_ == 0 ? "" : fmt::format("{} {}", place_, pid_); }

Store& Session::store() {
  if (!space_) space_ = context_.spaces.space_of(process());
  return space_->store;
}

std::optional<Refusal> Session::take(std::string_view bytes, std::string& answers) {
  undecided_ = has_more_ = false;
  if (pending_.empty()) {
    const std::size_t used = consume(bytes, answers);
    pending_ = bytes.substr(used);
    return refusal_;
  }
  pending_ += bytes;
  pending_.erase(0, consume(pending_, answers));
  if (pending_.empty()) pending_ = std::string();  // ten thousand clients rest here
  return refusal_;
}

/// Does what whole requests ask for; returns how many bytes they were.
std::size_t Session::consume(std::string_view bytes, std::string& answers) {
  if (bytes.empty() || !find_generation(bytes)) return 0;
  std::size_t used = 0;
  while (used < bytes.size() && !refusal_) {
    if (answers.size() > kManyAnswers) {
      has_more_ = true;
      break;
    }
    const std::string_view rest = bytes.substr(used);
    const auto operation = operation_of(static_cast<unsigned char>(rest[0]));
    if (!operation) break;
    const std::size_t size = read(*operation, rest);
    if (size == 0) break;
    used += size;
    ++requests_;
    perform(context_.request, answers);
  }
  return used;
}

/// Reads the request that `bytes` begin with, and returns how many of them it is; 0: more has to
/// come first, or it is refused. Most come in whole; of the others only what is new is looked at.
std::size_t Session::read(Operation operation, std::string_view bytes) {
  if (!scanner_.is_under_way()) {
    if (const std::size_t size = read_request(operation, bytes, context_.request)) return size;
  }
  const RequestScanner::Found found = scanner_.look(operation, bytes);
  if (found == RequestScanner::Found::kTooLong) refusal_ = Refusal::kTooLong;
  if (found == RequestScanner::Found::kPart) undecided_ = is_whole_delete(bytes);
  if (found != RequestScanner::Found::kWhole) return 0;
  return read_request(operation, bytes, context_.request);
}

/// False: more has to come first, or nothing that comes could help.
bool Session::find_generation(std::string_view bytes) {
  if (generation_ != Generation::kUnknown) return true;
  if (bytes.starts_with(kGreeting)) {
    generation_ = Generation::kCurrent;
  } else if (kGreeting.starts_with(bytes)) {
    return false;
  } else if (static_cast<unsigned char>(bytes[0]) <= kOlderLast) {
    generation_ = Generation::kOlder;
  } else {
    refusal_ = Refusal::kStranger;
  }
  return !refusal_;
}

std::optional<Operation> Session::operation_of(unsigned char number) {
  if (generation_ == Generation::kBefore21 && number == kOlderDelete) return Operation::kDeleteKey;
  const bool current = generation_ == Generation::kCurrent;
  const bool watches = generation_ == Generation::kBefore21 && number == kOlderWatch;
  if (watches || number > (current ? kOperations - 1 : kOlderLast)) {
    refusal_ = Refusal::kStranger;
    return std::nullopt;
  }
  if (generation_ == Generation::kOlder && number > kOlderDelete) generation_ = Generation::k21;
  return static_cast<Operation>(current ? number : number + 1);
}

/// Whether an APPEND of 2.1 of which only the key has come is a whole DELETE_KEY before it.
bool Session::is_whole_delete(std::string_view bytes) const {
  if (generation_ != Generation::kOlder || bytes[0] != kOlderDelete) return false;
  RequestScanner scanner;
  return scanner.look(Operation::kDeleteKey, bytes) == RequestScanner::Found::kWhole &&
         scanner.size() == bytes.size();
}

void Session::settle() {
  generation_ = Generation::kBefore21;
  scanner_ = RequestScanner();
}

void Session::enter(KeySpaces::Handle space) {
  if (space_ && space_ != space) space_->store.stop_waiting(client_);
  space_ = std::move(space);
}

void Session::perform(const Request& request, std::string& answers) {
  // Before 2.1 a client whose wait has timed out just sends its next request.
  if (generation_ != Generation::kCurrent && space_) space_->store.stop_waiting(client_);
  const std::size_t begin = answers.size();
  switch (request.operation) {
    case Operation::kValidate:
      if (request.number != kMagic) refusal_ = Refusal::kStranger;
      return;
    case Operation::kPing:
      return ping(request, answers);
    case Operation::kSet:
      store().set(request.key, request.value);
      break;
    case Operation::kCompareSet:
      write_text(store().compare_set(request.key, request.expected, request.value), answers);
      break;
    case Operation::kGet:
      return write_text(store().get(request.key), answers);
    case Operation::kAdd:
      add(request, answers);
      break;
    case Operation::kCheck:
      answers += store().has_all(request.keys) ? kReady : kNotReady;
      return;
    case Operation::kWait:
      if (store().wait(client_, request.keys)) answers += kStopWaiting;
      return;
    case Operation::kCancelWait:
      store().stop_waiting(client_);
      answers += kCanceled;
      return;
    case Operation::kGetNumKeys:
      return write_number(store().size(), answers);
    case Operation::kDeleteKey:
      return write_number(store().remove(request.key) ? 1 : 0, answers);
    case Operation::kAppend:
      store().append(request.key, request.value);
      break;
    case Operation::kMultiGet:
      return multi_get(request, answers);
    case Operation::kMultiSet:
      multi_set(request);
      break;
    case Operation::kQueuePush:
      store().queue_push(request.key, request.value);
      break;
    case Operation::kQueuePop:
      return queue_pop(request, answers);
    case Operation::kQueueLen:
      return write_number(store().queue_size(request.key), answers);
    case Operation::kListKeys:
      return list_keys(answers);
    case Operation::kBarrier:
      barrier(request, answers);
      break;
  }
  if (store().has_woken()) note_woken(begin, answers);
}

void Session::ping(const Request& request, std::string& answers) {
  const auto pid = static_cast<std::uint32_t>(request.number);
  if (!joined_) pid_ = pid;  // as whom it has joined it leaves
  write_word(pid, answers);
}

void Session::join() {
  enter(context_.spaces.join(process()));
  joined_ = true;
  if (pid_ != 0) {
    context_.joined(place_, pid_);
  } else {
    context_.joined_nameless(space_->nameless);
  }
}

void Session::add(const Request& request, std::string& answers) {
  if (request.key == kJoinKey && request.number > 0 && !joined_) join();
  if (request.key == kPresentKey && !present_ && pid_ != 0) {
    present_ = true;
    context_.joined(place_, pid_);
  }
  if (const auto sum = store().add(request.key, request.number)) {
    write_number(*sum, answers);
  } else {
    refusal_ = Refusal::kNoNumber;
  }
}

void Session::barrier(const Request& request, std::string& answers) {
  const auto complete = store().barrier(client_, request.key, request.number);
  if (!complete) {
    refusal_ = Refusal::kNoNumber;
  } else if (*complete) {
    answers += kStopWaiting;
  }
}

void Session::multi_get(const Request& request, std::string& answers) {
  std::uint64_t size = 0;
  for (const std::string_view key : request.keys) size += store().get(key).size();
  if (size > context_.most_values) {
    refusal_ = Refusal::kTooMuch;
    return;
  }
  for (const std::string_view key : request.keys) write_text(store().get(key), answers);
}

void Session::multi_set(const Request& request) {
  for (std::size_t index = 0; index < request.keys.size(); ++index)
    store().set(request.keys[index], request.values[index]);
}

void Session::queue_pop(const Request& request, std::string& answers) {
  write_number(store().queue_size(request.key), answers);
  if (const auto value = store().queue_pop(request.key)) write_text(*value, answers);
}

void Session::list_keys(std::string& answers) {
  write_number(store().size(), answers);
  store().for_each_key([&](std::string_view key) { write_text(key, answers); });
}

/// Our own wait began before the request that ends it, and is answered before it: at `begin`.
void Session::note_woken(std::size_t begin, std::string& answers) {
  for (const ClientId client : store().take_woken()) {
    if (client == client_) {
      answers.insert(begin, 1, kStopWaiting);
    } else {
      woken_.push_back(client);
    }
  }
}

}  // namespace trainit::store
