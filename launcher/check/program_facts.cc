// Whether the kernel could start the workers' program, without starting it.
#include <elf.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "check/program.h"
#include "plan/launch_plan.h"
#include "sys/files.h"
#include "sys/first_line.h"
#include "sys/process.h"

namespace trainit::check {
namespace {

#if defined(__x86_64__)
constexpr int kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr int kMachine = EM_AARCH64;
#endif

sys::UniqueFd open_program(const std::string& path) {
  return sys::open_file(sys::BorrowedFd(AT_FDCWD), path, O_RDONLY).value_or(sys::UniqueFd());
}

template <class Header>
bool read_at(const sys::UniqueFd& file, std::uint64_t offset, Header& header) {
  return ::pread(file.get(), &header, sizeof header, static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(sizeof header);
}

/// The dynamic loader that the kernel would start for it; empty: none.
std::string loader_of(const sys::UniqueFd& file, const Elf64_Ehdr& header) {
  for (unsigned index = 0; index < header.e_phnum; ++index) {
    Elf64_Phdr segment;
    if (!read_at(file, header.e_phoff + index * sizeof segment, segment)) return {};
    if (segment.p_type != PT_INTERP || segment.p_filesz == 0 || segment.p_filesz > 4096) continue;
    std::string path(segment.p_filesz, '\0');
    if (::pread(file.get(), path.data(), path.size(), static_cast<off_t>(segment.p_offset)) < 0)
      return {};
    return path.substr(0, path.find('\0'));
  }
  return {};
}

/// Whether the kernel was told of formats of others (binfmt_misc), beside its two files of control.
bool knows_other_formats() {
  const auto names = sys::list_directory("/proc/sys/fs/binfmt_misc");
  return names && names->size() > 2;
}

/// What exec's errno would be for a file that is no script.
int binary_errno(const std::string& path) {
  const sys::UniqueFd file = open_program(path);
  Elf64_Ehdr header;
  // A program that we may run but not read.
  if (!file) return 0;
  if (!read_at(file, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return knows_other_formats() ? 0 : ENOEXEC;
  // The kernel may run programs of 32 bits, or of another processor: that is not foreseen here.
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachine) return 0;
  const std::string loader = loader_of(file, header);
  return loader.empty() || sys::exists(loader) ? 0 : ENOENT;
}

/// What exec's errno would be; 0: it would run. `made_executable`: it is before it is started.
int exec_errno(const std::string& path, bool made_executable, int depth = 0) {
  constexpr int kDeepest = 4;  // as many scripts the kernel runs by scripts
  const int denied = sys::execute_errno(path);
  if (denied != 0 && !(made_executable && denied == EACCES)) return denied;
  const sys::FirstLine line = sys::read_first_line(path);
  if (!line.script) return binary_errno(path);
  if (line.windows_line_end) return ENOENT;
  return depth >= kDeepest ? ELOOP : exec_errno(line.interpreter(), false, depth + 1);
}

/// The sentence; empty: it can be run.
std::string why_not(const std::string& path, bool made_executable, const sys::SpawnRequest& request,
                    const Environment& environment) {
  if (const int error = exec_errno(path, made_executable); error != 0)
    return sys::describe({sys::SpawnStage::kExec, error}, request);
  const std::string wanted = sys::read_first_line(path).wanted_of_env();
  const std::string search = environment.get_or("PATH", sys::kDefaultPath);
  if (wanted.empty() || sys::find_executable(wanted, search, request.directory)) return {};
  return fmt::format("cannot run {}: its first line asks for {}, which is not in {}", path, wanted,
                     search);
}

}  // namespace

ProgramFacts program_facts(const Subject& subject) {
  ProgramFacts facts;
  facts.error = subject.command_error;
  if (!subject.command || subject.command->argv.empty()) return facts;
  const Command& command = *subject.command;
  facts.argv = command.argv;
  facts.warnings = command.warnings;
  WorkerSpec worker;
  worker.argv = command.argv;
  worker.directory = command.directory;
  worker.environment = subject.environment;
  const auto found = find_worker_executable(worker, std::nullopt);
  if (!found) {
    facts.error = found.error().message;
    return facts;
  }
  facts.path =
      command.directory.empty()
          ? *found
          : sys::join_path(command.directory, found->starts_with("./") ? found->substr(2) : *found);
  sys::SpawnRequest request;
  request.executable = *found;
  request.argv = command.argv;
  request.directory = command.directory;
  const bool made_executable = !command.not_yet_executable.empty();
  facts.error = why_not(facts.path, made_executable, request, subject.environment);
  facts.interpreter = sys::read_first_line(facts.path).interpreter();
  return facts;
}

}  // namespace trainit::check
