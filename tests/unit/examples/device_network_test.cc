#include "device_network.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace {

constexpr double kClose = 1e-5;
constexpr float kRate = 0.1F;

std::vector<Image> random_images(std::size_t count) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> ink(0, 1);
  std::vector<Image> images(count);
  for (Image& image : images) {
    for (float& pixel : image.pixels) pixel = ink(random);
    image.digit = static_cast<int>(random() % kClasses);
  }
  return images;
}

/// An order that is not that of the images.
std::vector<std::size_t> backwards(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.rbegin(), order.rend(), 0);
  return order;
}

double largest_difference(const std::vector<float>& one, const std::vector<float>& other) {
  REQUIRE(one.size() == other.size());
  double largest = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(one[i]) - other[i]));
  }
  return largest;
}

DeviceNetwork on_device(const std::vector<Image>& images, const Network& network) {
  auto made =
      DeviceNetwork::make(nullptr, images, network.state(), static_cast<int>(images.size()));
  REQUIRE(made);
  REQUIRE(made->set_order(backwards(images.size())));
  return std::move(*made);
}

std::vector<float> sums_of(DeviceNetwork& network, int first, int count, bool stop = false) {
  REQUIRE(network.differentiate(first, count, stop));
  return network.sums().download(nullptr).value();
}

}  // namespace

TEST_CASE("a step on the device is the step on the CPU") {
  const auto images = random_images(50);
  const auto order = backwards(images.size());
  Network expected(3);
  DeviceNetwork network = on_device(images, expected);
  const std::vector<float> before = expected.state();
  for (const auto& [first, count] : {std::pair(0, 32), {32, 17}, {49, 1}, {0, 50}}) {
    CAPTURE(count);
    const std::span batch(order.data() + first, static_cast<std::size_t>(count));
    const double loss = expected.learn(images, batch, kRate);
    REQUIRE(network.differentiate(first, count, false));
    CHECK(network.totals()->loss / count == doctest::Approx(loss).epsilon(kClose));
    REQUIRE(network.step(count, kRate));
    CHECK(largest_difference(*network.state(), expected.state()) < kClose);
  }
  CHECK(largest_difference(before, expected.state()) > 1e-3);
}

TEST_CASE("the sums of the parts of a batch add up to those of the whole") {
  const auto images = random_images(40);
  DeviceNetwork network = on_device(images, Network(1));
  const auto whole = sums_of(network, 5, 30);
  std::vector<float> parts(whole.size());
  for (const auto& [first, count] : {std::pair(5, 10), {15, 0}, {15, 19}, {34, 1}}) {
    const auto part = sums_of(network, first, count);
    std::transform(part.begin(), part.end(), parts.begin(), parts.begin(), std::plus());
  }
  CHECK(largest_difference(whole, parts) < kClose);
  CHECK(whole[kParameters] > 30);  // a guess loses about log(10) an image
}

TEST_CASE("no image at all has a gradient of zeros, and can still ask for a stop") {
  DeviceNetwork network = on_device(random_images(3), Network(1));
  const auto sums = sums_of(network, 3, 0, true);
  CHECK(std::all_of(sums.begin(), sums.end() - 1, [](float value) { return value == 0; }));
  CHECK(network.totals()->stop);
  sums_of(network, 0, 3, false);
  CHECK_FALSE(network.totals()->stop);
}

TEST_CASE("an image that the network is quite wrong about has a loss that is a number") {
  auto images = random_images(1);
  std::vector<float> state = Network(1).state();
  state[kOutputBiases + static_cast<std::size_t>(images[0].digit)] = -1000;
  auto network = DeviceNetwork::make(nullptr, images, state, 1);
  REQUIRE(network);
  REQUIRE(network->set_order({0}));
  REQUIRE(network->differentiate(0, 1, false));
  CHECK(network->totals()->loss == doctest::Approx(-std::log(1e-30)).epsilon(1e-3));
}
