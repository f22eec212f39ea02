#include <algorithm>

#include "diagnose/recognise.h"

namespace trainit::diagnose {
namespace {

/// The words of sockets, of PyTorch's stores and process groups, of Gloo and of NCCL when a peer is
/// gone or does not answer.
constexpr std::string_view kPhrases[] = {
    "BrokenPipeError",
    "Broken pipe",
    "ConnectionAbortedError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "Connection refused",
    "Connection reset by peer",
    "Connection closed by peer",
    "Connection closed by remote",
    "Connection was likely closed",
    "connection closed by",
    "closed the connection",
    "No route to host",
    "Transport endpoint is not connected",
    "failed to recv, got 0 bytes",
    "DistNetworkError",
    "DistStoreError",
    "Socket Timeout",
    "socket has timed out",
    "socket has failed to connect",
    "Wait timeout",
    "wait timeout",
    "Timed out initializing process group",
    "Timed out waiting for clients",
    "waiting for clients",
    "store based barrier",
    "connectFullMesh",
    "Application timeout caused pair closure",
    "Timed out waiting",
    "collective operation timeout",
    "Heartbeat monitor timed out",
    "NCCL operations have failed or timed out",
    "NCCL communicator was aborted",
    "ncclRemoteError",
    "remote process exit",
    "socketStartConnect",
    "socketPollConnect",
    "socketProgress",
    "socketFinalizeConnect",
    // Go's and Julia's words for the same
    "connection refused",
    "connection reset by peer",
    "broken pipe",
    // Java's
    "SocketException: Connection reset",
    // Open MPI's and MPICH's
    "Communication error with rank",
    "MPI_ERR_PROC_FAILED",
    "lost communication with a remote daemon",
};

}  // namespace

bool reports_child(std::string_view message) {
  constexpr std::string_view kOfChild[] = {
      "exit code",  "exit status", "exited with",        "non-zero exit",
      "exit value", "return code", "returned with code", "failed process: Process("};
  return std::any_of(std::begin(kOfChild), std::end(kOfChild), [&](std::string_view phrase) {
    return message.find(phrase) != std::string_view::npos;
  });
}

bool speaks_of_communication(std::string_view message) {
  // A download that failed is an error of its own: no worker was at the other end.
  constexpr std::string_view kWeb[] = {"HTTPConnectionPool", "HTTPSConnectionPool", "http://",
                                       "https://"};
  const auto in_message = [&](std::string_view phrase) {
    return message.find(phrase) != std::string_view::npos;
  };
  return std::any_of(std::begin(kPhrases), std::end(kPhrases), in_message) &&
         std::none_of(std::begin(kWeb), std::end(kWeb), in_message);
}

}  // namespace trainit::diagnose
