#include <doctest/doctest.h>

#include <string>

#include "diagnose/error_text.h"

using namespace trainit::diagnose;

namespace {

const std::string kRule(74, '-');
const std::string kAbort =
    kRule +
    "\nMPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD\nwith errorcode 3.\n\n"
    "NOTE: invoking MPI_ABORT causes Open MPI to kill all MPI processes.\n"
    "You may or may not see output from other processes, depending on\n"
    "exactly when Open MPI kills them.\n" +
    kRule + "\n";
const std::string kPrimary =
    kRule +
    "\nPrimary job  terminated normally, but 1 process returned\n"
    "a non-zero exit code. Per user-direction, the job has been aborted.\n" +
    kRule + "\n";

std::string noticed(const std::string& signal) {
  return kPrimary + kRule +
         "\nmpirun noticed that process rank 1 with PID 42 on node algo-2 exited on signal " +
         signal + ".\n" + kRule + "\n";
}

std::string traceback(const std::string& prefix, const std::string& error) {
  return prefix + "Traceback (most recent call last):\n" + prefix +
         "  File \"/opt/ml/code/train.py\", line 3, in step\n" + prefix + "    f()\n" + prefix +
         error + "\n";
}

const std::string kReset = "ConnectionResetError: [Errno 104] Connection reset by peer";

std::string summary_of(std::string_view output) {
  const auto error = find_error(output);
  return error ? error->summary : "nothing";
}

}  // namespace

TEST_CASE("what MPI says of the end is a consequence of the error that was printed before") {
  const std::string kErrors[] = {
      traceback("", "ValueError: loss is nan"),
      traceback("[1,1]<stderr>:", "ValueError: loss is nan"),
      "Exception in thread Thread-1:\n" + traceback("", "ValueError: loss is nan"),
      "terminate called after throwing an instance of 'X'\n  what():  loss is nan\n",
      "panic: loss is nan\n\ngoroutine 1 [running]:\nmain.main()\n\t/a/main.go:3 +0x2c\n",
      "thread 'main' panicked at src/main.rs:3:9:\nloss is nan\n",
      "Error in step(1) : loss is nan\nExecution halted\n",
      "CUDA error: loss is nan\n",
      "Exception in thread \"main\" java.lang.Error: loss is nan\n",
  };
  for (const std::string& error : kErrors) {
    for (const std::string& report :
         {kAbort, kAbort + kPrimary, noticed("9 (Killed)"), noticed("6 (Aborted)"),
          std::string("Abort(3) on node 1 (rank 1 in comm 0): application called "
                      "MPI_Abort(MPI_COMM_WORLD, 3) - process 1\n")}) {
      CAPTURE(error);
      CAPTURE(report);
      const auto found = find_error(error + report);
      REQUIRE(found);
      CHECK(found->summary.find("loss is nan") != std::string::npos);
      CHECK(found->detail.find(kRule) == std::string::npos);
      CHECK(found->last_words());
      CHECK(find_error(report + error)->summary == found->summary);
    }
  }
}

TEST_CASE("an abort of MPI is told when nothing else is there") {
  CHECK(summary_of("step 1\n" + kAbort + kPrimary) ==
        "MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD with errorcode 3");
  CHECK(find_error(kAbort)->detail.find("NOTE") != std::string::npos);
}

TEST_CASE("the newer form of an abort's report names process and code too") {
  CHECK(summary_of(kRule +
                   "\nMPI_ABORT was invoked on rank 0 in communicator MPI_COMM_WORLD\n"
                   "  Proc: [[1,1],0]\n  Errorcode: 3\n\nNOTE: x\n" +
                   kRule + "\n") ==
        "MPI_ABORT was invoked on rank 0 in communicator MPI_COMM_WORLD Proc: [[1,1],0] "
        "Errorcode: 3");
}

TEST_CASE("the first text of mpirun alone tells how many processes failed") {
  CHECK(summary_of(kPrimary) == "mpirun: 1 process ended with a code that is not 0");
  CHECK(summary_of(kRule +
                   "\nPrimary job  terminated normally, but 3 processes returned\n"
                   "a non-zero exit code. Per user-direction, the job has been aborted.\n") ==
        "mpirun: 3 processes ended with a code that is not 0");
  CHECK(summary_of(kRule + "\nPrimary job  terminated normally, but\n") ==
        "mpirun: processes ended with a code that is not 0");
}

TEST_CASE("a line about CUDA far back leaves the word to MPI's report") {
  std::string log = "NCCL WARN socketStartConnect: Connection refused\n";
  for (int i = 0; i < 100; ++i) log += "epoch\n";
  CHECK(summary_of(log + kAbort).starts_with("MPI_ABORT"));
}

TEST_CASE("that a rank was killed explains why others lost their peer") {
  const char* killed = "mpirun: process rank 1 on node algo-2 exited on signal 9 (Killed)";
  CHECK(summary_of(traceback("[1,0]<stderr>:", kReset) + noticed("9 (Killed)")) == killed);
  CHECK(summary_of(noticed("9 (Killed)") + traceback("[1,0]<stderr>:", kReset)) == killed);
  // It aborted itself, and had said why.
  CHECK(summary_of(traceback("[1,0]<stderr>:", kReset) + noticed("6 (Aborted)")) == kReset);
  CHECK(summary_of(traceback("[1,0]<stderr>:", kReset) + kAbort) == kReset);
}

TEST_CASE("of two ranks the one that lost its peer is not the cause, whichever was first") {
  const std::string raised = traceback("[1,1]<stderr>:", "ValueError: loss is nan");
  const std::string lost = traceback("[1,0]<stderr>:", kReset);
  CHECK(summary_of(raised + lost + kPrimary) == "ValueError: loss is nan");
  CHECK(summary_of(lost + raised + kPrimary) == "ValueError: loss is nan");
  // One and the same rank survived the first.
  CHECK(summary_of(raised + traceback("[1,1]<stderr>:", kReset)) == kReset);
}

TEST_CASE("an error that the MPI library found is the program's own, a lost peer is not") {
  CHECK(summary_of("[algo-1:42] *** An error occurred in MPI_Send\n"
                   "[algo-1:42] *** reported by process [7,0]\n"
                   "[algo-1:42] *** on communicator MPI_COMM_WORLD\n"
                   "[algo-1:42] *** MPI_ERR_TRUNCATE: message truncated\n"
                   "[algo-1:42] *** MPI_ERRORS_ARE_FATAL (processes will now abort,\n") ==
        "MPI_Send: MPI_ERR_TRUNCATE: message truncated");
  const auto failed = find_error(
      "[algo-1:42] *** An error occurred in MPI_Recv\n"
      "[algo-1:42] *** MPI_ERR_PROC_FAILED: Process Failure\n");
  REQUIRE(failed);
  CHECK(failed->communication);
  const std::string lost =
      "Abort(1) on node 0 (rank 0 in comm 0): Fatal error in PMPI_Recv: Other MPI error, error "
      "stack:\nPMPI_Recv(171): MPI_Recv(buf=0x1) failed\n"
      "MPIDI_CH3(12): Communication error with rank 1\n";
  CHECK(summary_of(lost) ==
        "Fatal error in PMPI_Recv: Other MPI error: Communication error with rank 1");
  CHECK(find_error(lost)->communication);
  std::string log = traceback("", "ValueError: loss is nan");
  for (int i = 0; i < 30; ++i) log += "waiting\n";
  CHECK(summary_of(log + lost) == "ValueError: loss is nan");
}

TEST_CASE("an older MPI names the function without an abort line before it") {
  CHECK(summary_of("Fatal error in PMPI_Send: Invalid rank, error stack:\n"
                   "PMPI_Send(157): MPI_Send(buf=0x1) failed\n"
                   "PMPI_Send(94).: Invalid rank has value 5\nepoch 3\n") ==
        "Fatal error in PMPI_Send: Invalid rank: Invalid rank has value 5");
}

TEST_CASE("Hydra's box says how a process ended") {
  const std::string rule(83, '=');
  CHECK(summary_of(rule +
                   "\n=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n"
                   "=   PID 42 RUNNING AT algo-1\n=   EXIT CODE: 9\n" +
                   rule +
                   "\nYOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)\n") ==
        "mpirun: a process ended with Killed (signal 9)");
  CHECK(summary_of(rule +
                   "\n=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n"
                   "=   EXIT CODE: 3\n" +
                   rule + "\n") == "mpirun: a process ended with exit code 3");
}

TEST_CASE("a crash report of Open MPI names the signal and its reason") {
  CHECK(summary_of("[algo-1:42] *** Process received signal ***\n"
                   "[algo-1:42] Signal: Bus error (7)\n"
                   "[algo-1:42] Signal code: Non-existant physical address (2)\n"
                   "[algo-1:42] Failing at address: 0x7f\n"
                   "[algo-1:42] [ 0] ./train(+0xbbe3)[0x55]\n"
                   "[algo-1:42] *** End of error message ***\n") ==
        "Bus error (7): Non-existant physical address (2)");
}

TEST_CASE("the long stack under a crash report of UCX belongs to it") {
  std::string report =
      "[algo-1:42:0:42] Caught signal 11 (Segmentation fault: address not mapped to object at "
      "address (nil))\n==== backtrace (tid:     42) ====\n";
  for (int i = 0; i < 40; ++i) report += std::to_string(i) + "  ./train(+0x11be) [0x55f1]\n";
  report += "=================================\n\n";
  const auto error = find_error(report + kPrimary);
  REQUIRE(error);
  CHECK(error->summary ==
        "Caught signal 11 (Segmentation fault: address not mapped to object at address (nil))");
  CHECK(error->last_words());
}

TEST_CASE("a report of a signal that was cut off is read as far as it goes") {
  CHECK(summary_of("mpirun noticed that process rank \n") == "mpirun: process rank");
  CHECK(summary_of("mpirun noticed that process rank 1 with PID 0") ==
        "mpirun: process rank 1 with PID 0");
}

TEST_CASE("lines that only speak of MPI are no errors") {
  for (const char* line :
       {"MPI_ABORT is not used here", "Primary job done", "rank 1 called MPI_Finalize",
        "mpirun was started", "Abort(ed) by nobody", "no Fatal error in sight",
        "=   BAD TERMINATION"}) {
    CAPTURE(line);
    CHECK(summary_of(std::string(line) + "\nepoch 2\n") == "nothing");
  }
}
