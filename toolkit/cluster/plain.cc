// No platform: --nnodes, --node-rank and --leader, the same on every host but for the rank; or one
// host alone.
#include <fmt/core.h>

#include "cluster/platforms.h"
#include "sys/address.h"

namespace trainit::cluster {
namespace {

constexpr int kMostNodes = 100'000;

/// One host needs none of the other options; but who has given some of them meant several.
Result<void> check_one(const Choice& choice) {
  if (choice.nodes == 0 && !choice.leader.empty()) {
    return fail(
        fmt::format("--leader {} needs --nnodes and --node-rank here, where no platform "
                    "tells of other hosts",
                    choice.leader));
  }
  if (choice.nodes == 1 && choice.node_rank > 0)
    return fail(fmt::format("--node-rank {} with --nnodes 1: expected 0", choice.node_rank));
  return {};
}

Result<void> check(const Choice& choice) {
  if (choice.nodes > kMostNodes)
    return fail(fmt::format("--nnodes {}: at most {}", choice.nodes, kMostNodes));
  if (choice.node_rank < 0)
    return fail(fmt::format("--nnodes {} needs --node-rank, from 0 to {}, another on each host",
                            choice.nodes, choice.nodes - 1));
  if (choice.node_rank >= choice.nodes)
    return fail(fmt::format("--node-rank {} with --nnodes {}: expected 0 to {}", choice.node_rank,
                            choice.nodes, choice.nodes - 1));
  if (choice.leader.empty())
    return fail(
        fmt::format("--nnodes {} needs --leader: the name or the address of the host whose "
                    "--node-rank is 0",
                    choice.nodes));
  return {};
}

/// Such an address needs an interface with it.
bool is_of_one_link(const std::string& text) {
  const auto address = sys::Address::parse(text);
  return address && sys::AddressRange::parse("fe80::/10")->contains(*address);
}

/// A name or an address; the latter may have the brackets in which one of IPv6 stands before a
/// port.
Result<std::string> leader_of(const Choice& choice) {
  std::string leader = choice.leader;
  if (leader.starts_with('[') && leader.ends_with(']'))
    leader = leader.substr(1, leader.size() - 2);
  if (is_of_one_link(leader)) {
    return fail(
        fmt::format("--leader {}: an address that means something on one network interface alone: "
                    "give the host's name, or another of its addresses",
                    choice.leader));
  }
  if (sys::Address::parse(leader) || leader.find_first_of(":/%[]@ ") == std::string::npos)
    return leader;
  return fail(
      fmt::format("--leader {}: expected the name or the address of a host alone, without a port, "
                  "a scheme or an interface",
                  choice.leader));
}

/// Whatever a platform may say of others.
Cluster one_host(const Resources& resources, const Choice& choice) {
  Cluster cluster;
  cluster.source = choice.nodes > 0           ? "--nnodes"
                   : !choice.platform.empty() ? "--platform none"
                                              : "this machine";
  cluster.platform = "none";
  cluster.current_host = cluster.leader = resources.current_host;
  cluster.hosts = {resources.current_host};
  cluster.interface = resources.network_interface;
  return cluster;
}

/// The hosts have no names that we know: they are called by their ranks.
Result<Cluster> find(const Question& question) {
  const Choice& choice = question.choice;
  if (choice.nodes <= 1) {
    TRAINIT_TRY(check_one(choice));
    return one_host(question.job.resources, choice);
  }
  TRAINIT_TRY(check(choice));
  Cluster cluster;
  cluster.source = "--nnodes";
  cluster.platform = "none";
  for (int rank = 0; rank < choice.nodes; ++rank)
    cluster.hosts.push_back(fmt::format("node-{}", rank));
  cluster.host_rank = choice.node_rank;
  cluster.current_host = cluster.hosts[static_cast<std::size_t>(choice.node_rank)];
  cluster.leader = TRAINIT_TRY(leader_of(choice));
  cluster.named = false;
  return cluster;
}

}  // namespace

const Platform kPlain = {"none", [](const Question&) { return true; }, find};

}  // namespace trainit::cluster
