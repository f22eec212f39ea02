#include "device_network.h"

#include "kernels.h"

using trainit::Result;

namespace {

constexpr std::size_t kTotals = 2;

template <class Number>
kernels::Layer<Number> hidden_layer(Number* parameters) {
  return {kPixels, kHidden, parameters + kHiddenWeights, parameters + kHiddenBiases};
}

template <class Number>
kernels::Layer<Number> output_layer(Number* parameters) {
  return {kHidden, kClasses, parameters + kOutputWeights, parameters + kOutputBiases};
}

}  // namespace

DeviceNetwork::DeviceNetwork(cudaStream_t stream, Buffer<float> pixels, Buffer<int> digits,
                             Buffer<int> order, Buffer<float> parameters, Buffer<float> velocities,
                             Buffer<float> sums, Batch batch)
    : stream_(stream),
      pixels_(std::move(pixels)),
      digits_(std::move(digits)),
      order_(std::move(order)),
      parameters_(std::move(parameters)),
      velocities_(std::move(velocities)),
      sums_(std::move(sums)),
      batch_(std::move(batch)) {}

Result<DeviceNetwork> DeviceNetwork::make(cudaStream_t stream, const std::vector<Image>& images,
                                          const std::vector<float>& state, int largest_part) {
  std::vector<float> pixels;
  std::vector<int> digits;
  for (const Image& image : images) {
    pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
    digits.push_back(image.digit);
  }
  const std::span all(state);
  auto device_pixels = TRAINIT_TRY(Buffer<float>::of(pixels, stream));
  auto device_digits = TRAINIT_TRY(Buffer<int>::of(digits, stream));
  auto order = TRAINIT_TRY(Buffer<int>::make(images.size()));
  auto parameters = TRAINIT_TRY(Buffer<float>::of(all.first(kParameters), stream));
  auto velocities = TRAINIT_TRY(Buffer<float>::of(all.last(kParameters), stream));
  auto sums = TRAINIT_TRY(Buffer<float>::make(kParameters + kTotals));
  auto batch = TRAINIT_TRY(make_batch(static_cast<std::size_t>(largest_part)));
  return DeviceNetwork(stream, std::move(device_pixels), std::move(device_digits), std::move(order),
                       std::move(parameters), std::move(velocities), std::move(sums),
                       std::move(batch));
}

Result<DeviceNetwork::Batch> DeviceNetwork::make_batch(std::size_t size) {
  auto pixels = TRAINIT_TRY(Buffer<float>::make(size * kPixels));
  auto hidden = TRAINIT_TRY(Buffer<float>::make(size * kHidden));
  auto hidden_errors = TRAINIT_TRY(Buffer<float>::make(size * kHidden));
  auto outputs = TRAINIT_TRY(Buffer<float>::make(size * kClasses));
  auto losses = TRAINIT_TRY(Buffer<float>::make(size));
  auto digits = TRAINIT_TRY(Buffer<int>::make(size));
  return Batch{std::move(pixels),  std::move(hidden), std::move(hidden_errors),
               std::move(outputs), std::move(losses), std::move(digits)};
}

Result<void> DeviceNetwork::set_order(const std::vector<std::size_t>& order) {
  return order_.upload(std::vector<int>(order.begin(), order.end()), stream_);
}

Result<void> DeviceNetwork::differentiate(int first, int count, bool stop) {
  const float* parameters = parameters_.data();
  float* gradient = sums_.data();
  kernels::gather(stream_, pixels_.data(), digits_.data(), order_.data() + first, kPixels, count,
                  batch_.pixels.data(), batch_.digits.data());
  kernels::multiply(stream_, hidden_layer(parameters), batch_.pixels.data(), count,
                    batch_.hidden.data());
  kernels::rectify(stream_, count * kHidden, batch_.hidden.data());
  kernels::multiply(stream_, output_layer(parameters), batch_.hidden.data(), count,
                    batch_.outputs.data());
  kernels::lose(stream_, batch_.digits.data(), kClasses, count, batch_.outputs.data(),
                batch_.losses.data());
  kernels::propagate(stream_, output_layer(parameters), batch_.outputs.data(), batch_.hidden.data(),
                     count, batch_.hidden_errors.data());
  kernels::differentiate(stream_, output_layer(gradient), batch_.hidden.data(),
                         batch_.outputs.data(), count);
  kernels::differentiate(stream_, hidden_layer(gradient), batch_.pixels.data(),
                         batch_.hidden_errors.data(), count);
  kernels::total(stream_, batch_.losses.data(), count, stop ? 1.0F : 0.0F, gradient + kParameters);
  return cuda_result(cudaGetLastError(), "the gradient's kernels");
}

Result<void> DeviceNetwork::step(int batch_size, float learning_rate) {
  const float scale = 1.0F / static_cast<float>(batch_size);
  kernels::step(stream_, sums_.data(), scale, learning_rate, kMomentum, kParameters,
                velocities_.data(), parameters_.data());
  return cuda_result(cudaGetLastError(), "the kernel of a step");
}

Result<DeviceNetwork::Totals> DeviceNetwork::totals() const {
  const auto values = TRAINIT_TRY(sums_.download(kParameters, kTotals, stream_));
  return Totals{values[0], values[1] > 0};
}

Result<std::vector<float>> DeviceNetwork::state() const {
  auto state = TRAINIT_TRY(parameters_.download(stream_));
  const auto velocities = TRAINIT_TRY(velocities_.download(stream_));
  state.insert(state.end(), velocities.begin(), velocities.end());
  return state;
}
