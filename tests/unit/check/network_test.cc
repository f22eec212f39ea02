#include "check/network.h"

#include "hardware/machine.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

NetworkFacts healthy() {
  NetworkFacts facts;
  facts.wanted = "eth0";
  facts.interfaces = {{"docker0", true, true}, {"down0", false, false}, {"eth0", true, true},
                      {"eth1", true, true},    {"lo", true, true},      {"mute0", true, false}};
  return facts;
}

}  // namespace

TEST_CASE("NCCL's rules for the names of interfaces") {
  struct Case {
    const char* value;
    std::vector<std::string> chosen;
  };
  const Case cases[] = {
      {"eth", {"eth0", "eth1"}},
      {"eth0", {"eth0"}},
      {"=eth", {}},
      {"=eth0", {"eth0"}},
      {"=eth0,lo", {"eth0", "lo"}},
      {"lo,docker", {"docker0", "lo"}},
      {"^docker,lo", {"eth0", "eth1"}},
      {"^=eth0", {"docker0", "eth1", "lo"}},
      {"^=eth", {"docker0", "eth0", "eth1", "lo"}},
      {"mute0", {}},
      {"down0", {}},
      {"ens5", {}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.value);
    CHECK(chosen_by_nccl(healthy().interfaces, one.value) == one.chosen);
  }
}

TEST_CASE("a network as it should be is nothing to tell of") {
  NetworkFacts facts = healthy();
  facts.nccl = facts.gloo = "eth0";
  check_told(judge_network(facts), {});
}

TEST_CASE("the platform's interface matters where there are several hosts") {
  for (const auto& [name, words] : {std::pair{"ethwe", "ethwe does not exist"},
                                    {"down0", "down0 is down"},
                                    {"mute0", "mute0 has no address"}}) {
    NetworkFacts facts = healthy();
    facts.wanted = name;
    check_told(judge_network(facts), {"note: the platform's interface " + std::string(words)});
    facts.hosts = 2;
    check_told(judge_network(facts), {"warning: the platform's interface " + std::string(words)});
  }
  NetworkFacts elsewhere = healthy();
  elsewhere.wanted.clear();
  check_told(judge_network(elsewhere), {});
}

TEST_CASE("an interface that NCCL does not find is fatal where it has GPUs to connect") {
  NetworkFacts facts = healthy();
  facts.nccl = "ens5";
  check_told(judge_network(facts), {"warning: NCCL_SOCKET_IFNAME=ens5"});
  facts.gpus = 2;
  check_told(judge_network(facts), {"error: NCCL_SOCKET_IFNAME=ens5"});
}

TEST_CASE("Gloo takes whole names") {
  NetworkFacts facts = healthy();
  facts.gloo = "eth0,eth1";
  check_told(judge_network(facts), {});
  facts.gloo = "eth";
  check_told(judge_network(facts), {"error: GLOO_SOCKET_IFNAME=eth: eth does not exist"});
  facts.gloo = "mute0";
  check_told(judge_network(facts), {"error: GLOO_SOCKET_IFNAME=mute0: mute0 has no address"});
}

TEST_CASE("Elastic Fabric Adapters that are missing, closed or without their libraries") {
  NetworkFacts facts = healthy();
  facts.instance_type = "ml.p4d.24xlarge";
  check_told(judge_network(facts), {"note: ml.p4d.24xlarge has 4 EFA devices, 0 found"});
  facts.hosts = 2;
  check_told(judge_network(facts), {"warning: ml.p4d.24xlarge has 4 EFA devices, 0 found"});
  facts.efa_devices = 4;
  check_told(judge_network(facts),
             {"warning: the kernel has 4 EFA devices, and the container 0",
              "warning: there are EFA devices, and the image has no aws-ofi-nccl"});
  facts.verbs_files = 4;
  facts.plugin = "/opt/amazon/ofi-nccl/lib/libnccl-net.so";
  check_told(judge_network(facts),
             {"warning: there are EFA devices, and the image has no libfabric"});
  facts.libfabric = "/opt/amazon/efa/lib/libfabric.so.1";
  check_told(judge_network(facts), {});
  facts.provider = "tcp";
  check_told(judge_network(facts), {"warning: FI_PROVIDER=tcp"});
  facts.provider = "efa";
  check_told(judge_network(facts), {});
}

TEST_CASE("what EFA needs is found in the usual places") {
  const Machine image;
  image.write("opt/amazon/efa/lib64/libfabric.so.1");
  image.write("opt/amazon/ofi-nccl/lib/libnccl-net.so");
  image.write("dev/infiniband/uverbs0");
  image.write("dev/infiniband/uverbs1");
  image.write("dev/infiniband/rdma_cm");
  Subject subject;
  subject.roots = {image.roots(), image / ""};
  const NetworkFacts facts = network_facts(subject);
  CHECK(facts.verbs_files == 2);
  CHECK_FALSE(facts.libfabric.empty());
  CHECK_FALSE(facts.plugin.empty());
}
