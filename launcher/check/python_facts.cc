// Asks the job's own Python what its program imports, and reads the answer.
#include <fmt/core.h>

#include "base/json_members.h"
#include "base/text.h"
#include "check/python.h"
#include "hardware/tool.h"
#include "sys/files.h"
#include "sys/first_line.h"
#include "sys/process.h"

namespace trainit::check {
namespace {

constexpr int kDeadlineMilliseconds = 20'000;

int count_of(const Json& object, std::string_view name) {
  return static_cast<int>(integer_of(object, name).value_or(0));
}

const Json::Array& list_of(const Json& object, std::string_view name) {
  static const Json::Array kNone;
  const Json* member = object.find(name);
  return member != nullptr && member->array() != nullptr ? *member->array() : kNone;
}

Runs runs_of(const Json& object) {
  const std::string text = text_of(object, "runs");
  if (text == "guarded") return Runs::kGuarded;
  return text == "maybe" ? Runs::kMaybe : Runs::kAlways;
}

std::string_view name_of(PythonCall::Kind kind) {
  if (kind == PythonCall::Kind::kScript) return "script";
  return kind == PythonCall::Kind::kModule ? "module" : "code";
}

/// The command's own words, or the first line of a script that Python runs ("#!/usr/bin/env
/// python3").
std::optional<PythonCall> call_of(const Subject& subject) {
  if (!subject.command || subject.command->argv.empty()) return std::nullopt;
  const std::vector<std::string>& argv = subject.command->argv;
  if (auto call = python_call(argv)) return call;
  const auto found = sys::find_executable(
      argv[0], subject.environment.get_or("PATH", sys::kDefaultPath), subject.command->directory);
  if (!found) return std::nullopt;
  const std::string path =
      sys::join_path(subject.command->directory.empty() ? "." : subject.command->directory, *found);
  const sys::FirstLine line = sys::read_first_line(path);
  if (!line.script || line.windows_line_end) return std::nullopt;
  std::vector<std::string> words;
  for (const std::string_view word : split(line.command, ' ')) {
    const bool of_env = words.empty() && (word.ends_with("/env") || word.starts_with('-'));
    if (!word.empty() && !of_env) words.emplace_back(word);
  }
  words.push_back(*found);
  return python_call(words);
}

Result<std::string> ask(const Subject& subject, const PythonCall& call) {
  const std::string directory = subject.command->directory;
  sys::SpawnRequest request;
  request.argv = {call.interpreter, "-I", "-c", kImportProbe, std::string(name_of(call.kind)),
                  call.name};
  const auto found = sys::find_executable(
      call.interpreter, subject.environment.get_or("PATH", sys::kDefaultPath), directory);
  if (!found) return fail(describe(found.error(), request));
  request.executable = *found;
  request.directory = directory;
  return hardware::run_quietly(std::move(request), subject.environment,
                               {kDeadlineMilliseconds, subject.stops});
}

}  // namespace

Result<PythonFacts> parse_probe_answer(std::string_view json) {
  const Result<Json> parsed = Json::parse(json);
  if (!parsed || parsed->object() == nullptr) return fail("its answer is no JSON");
  const Json& answer = *parsed;
  PythonFacts facts;
  facts.used = true;
  facts.version = text_of(answer, "version");
  facts.files = count_of(answer, "files");
  facts.modules = count_of(answer, "modules");
  facts.nccl_library = text_of(answer, "nccl_library");
  for (const Json& one : list_of(answer, "missing")) {
    facts.missing.push_back(
        {text_of(one, "module"), text_of(one, "file"), count_of(one, "line"), runs_of(one)});
  }
  for (const Json& one : list_of(answer, "mistakes")) {
    facts.mistakes.push_back(
        {text_of(one, "file"), text_of(one, "message"), count_of(one, "line"), runs_of(one)});
  }
  if (const Json* packages = answer.find("packages"); packages && packages->object()) {
    for (const Json::Member& member : *packages->object()) {
      if (member.value.string() != nullptr)
        facts.packages.emplace(member.name, *member.value.string());
    }
  }
  facts.uses_torch = flag_of(answer, "uses_torch");
  facts.archive = flag_of(answer, "archive");
  facts.changes_path = flag_of(answer, "changes_path");
  const Json* cuda = answer.find("torch_cuda");
  if (cuda != nullptr && cuda->string() != nullptr) facts.torch_cuda = *cuda->string();
  return facts;
}

PythonFacts python_facts(const Subject& subject, bool look) {
  const auto call = call_of(subject);
  PythonFacts facts;
  facts.used = call.has_value();
  if (!call || !look) return facts;
  const Result<std::string> answer = ask(subject, *call);
  Result<PythonFacts> read = answer ? parse_probe_answer(*answer) : fail(answer.error().message);
  if (read) facts = std::move(*read);
  if (!read) facts.trouble = read.error().message;
  facts.program = call->kind == PythonCall::Kind::kCode ? "the code after -c" : call->name;
  return facts;
}

}  // namespace trainit::check
