#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/recognise.h"

// What CUDA, NCCL and PyTorch's process groups say on a single line.
namespace trainit::diagnose {
namespace {

struct Phrase {
  std::string_view text;
  bool from_here;  ///< what stands before it on the line says nothing: host, pid, source file
};

constexpr Phrase kPhrases[] = {
    {"NCCL WARN ", true},
    {"[Rank ", true},  // with a second phrase of the table below
    {"CUDA error", false},
    {"Cuda error", false},
    {"CUDA failure", false},
    {"Cuda failure", false},
    {"CUDA out of memory", false},
    {"CUDA driver error", false},
    {"cudaError", false},
    {"CUBLAS_STATUS_", false},
    {"CUDNN_STATUS_", false},
    {"NCCL error", false},
    {"NCCL failure", false},
    {"the communicator \"", true},  // trainit::nccl's own sentences begin so
    {"ncclSystemError", false},
    {"ncclInternalError", false},
    {"ncclRemoteError", false},
    {"ncclUnhandledCudaError", false},
    {"Watchdog caught collective operation timeout", false},
};

bool is_success(std::string_view line) {
  return line.find("_STATUS_SUCCESS") != std::string_view::npos ||
         line.find("cudaErrorNone") != std::string_view::npos;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// What stands before a message names the level of information: `[I ProcessGroupNCCL.cpp:587]` and
/// `[I1127 09:05:00 …]` of PyTorch, `NCCL INFO`, `INFO:` and ` INFO ` of others.
bool is_information(std::string_view before) {
  constexpr std::string_view kOfTorch = "[I", kWord = "INFO";
  const std::size_t torch = before.find(kOfTorch);
  if (torch != std::string_view::npos && torch + kOfTorch.size() < before.size()) {
    const char next = before[torch + kOfTorch.size()];
    if (next == ' ' || (next >= '0' && next <= '9')) return true;
  }
  const std::size_t word = before.find(kWord);
  if (word == std::string_view::npos || (word > 0 && is_letter(before[word - 1]))) return false;
  const std::size_t end = word + kWord.size();
  return end == before.size() || !is_letter(before[end]);
}

/// `[Rank 3] Watchdog caught …` is an error, `[Rank 3] epoch 1` is not.
bool counts(std::string_view line, const Phrase& phrase, std::size_t at) {
  if (is_information(line.substr(0, at))) return false;
  if (phrase.text != "[Rank ") return true;
  constexpr std::string_view kOf[] = {"Watchdog", "NCCL", "CUDA"};
  return std::any_of(std::begin(kOf), std::end(kOf), [&](std::string_view word) {
    return line.substr(at, 64).find(word) != std::string_view::npos;
  });
}

}  // namespace

Attempt gpu_error_line(const Lines& lines, std::size_t at) {
  const std::string_view line = utf8::truncate(lines[at], kLongestSummary);
  for (const Phrase& phrase : kPhrases) {
    const std::size_t start = line.find(phrase.text);
    if (start == std::string_view::npos || !counts(line, phrase, start) || is_success(line))
      continue;
    Candidate found;
    found.first = found.last = at;
    found.error.weight = Weight::kLine;
    found.error.summary = trim(phrase.from_here ? line.substr(start) : line);
    found.error.location = source_location(line);
    found.error.communication = speaks_of_communication(line);
    return {at + 1, std::move(found)};
  }
  return {at, std::nullopt};
}

}  // namespace trainit::diagnose
