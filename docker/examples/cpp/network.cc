#include "network.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace {

/// `outputs[i]` = bias + weights of row i · inputs.
void multiply(const float* weights, const float* biases, std::span<const float> inputs,
              std::span<float> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const float* row = weights + i * inputs.size();
    outputs[i] = biases[i];
    for (std::size_t j = 0; j < inputs.size(); ++j) outputs[i] += row[j] * inputs[j];
  }
}

void softmax(std::span<float> values) {
  const float largest = *std::max_element(values.begin(), values.end());
  float sum = 0;
  for (float& value : values) sum += value = std::exp(value - largest);
  for (float& value : values) value /= sum;
}

struct Activations {
  std::array<float, kHidden> hidden;
  std::array<float, kClasses> probabilities;
};

Activations forward(const std::vector<float>& parameters, const Image& image) {
  const float* p = parameters.data();
  Activations result;
  multiply(p + kHiddenWeights, p + kHiddenBiases, image.pixels, result.hidden);
  for (float& value : result.hidden) value = std::max(value, 0.0F);
  multiply(p + kOutputWeights, p + kOutputBiases, result.hidden, result.probabilities);
  softmax(result.probabilities);
  return result;
}

/// Adds the loss's gradient for this image to `gradient`.
void backward(const std::vector<float>& parameters, const Image& image,
              const Activations& activations, std::vector<float>& gradient) {
  std::array<float, kHidden> hidden_error{};
  for (int i = 0; i < kClasses; ++i) {
    const float error = activations.probabilities[i] - (i == image.digit ? 1.0F : 0.0F);
    gradient[kOutputBiases + i] += error;
    for (int j = 0; j < kHidden; ++j) {
      gradient[kOutputWeights + i * kHidden + j] += error * activations.hidden[j];
      hidden_error[j] += error * parameters[kOutputWeights + i * kHidden + j];
    }
  }
  for (int i = 0; i < kHidden; ++i) {
    if (activations.hidden[i] <= 0) continue;  // ReLU passes nothing back
    gradient[kHiddenBiases + i] += hidden_error[i];
    for (int j = 0; j < kPixels; ++j) {
      gradient[kHiddenWeights + i * kPixels + j] += hidden_error[i] * image.pixels[j];
    }
  }
}

}  // namespace

Network::Network(unsigned seed) : parameters_(kParameters), momentum_(kParameters) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const auto fill = [&](int from, int to, int inputs) {
    const float scale = std::sqrt(2.0F / static_cast<float>(inputs));
    for (int i = from; i < to; ++i) parameters_[i] = normal(random) * scale;
  };
  fill(kHiddenWeights, kHiddenBiases, kPixels);
  fill(kOutputWeights, kOutputBiases, kHidden);
}

double Network::learn(const std::vector<Image>& images, std::span<const std::size_t> batch,
                      float learning_rate) {
  std::vector<float> gradient(kParameters);
  double loss = 0;
  for (const std::size_t index : batch) {
    const Activations activations = forward(parameters_, images[index]);
    loss -= std::log(std::max(activations.probabilities[images[index].digit], 1e-30F));
    backward(parameters_, images[index], activations, gradient);
  }
  const float scale = 1.0F / static_cast<float>(batch.size());
  for (int i = 0; i < kParameters; ++i) {
    momentum_[i] = kMomentum * momentum_[i] + gradient[i] * scale;
    parameters_[i] -= learning_rate * momentum_[i];
  }
  return loss * scale;
}

int Network::classify(const Image& image) const {
  const auto probabilities = forward(parameters_, image).probabilities;
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  return static_cast<int>(best - probabilities.begin());
}

std::vector<float> Network::state() const {
  std::vector<float> state = parameters_;
  state.insert(state.end(), momentum_.begin(), momentum_.end());
  return state;
}

bool Network::restore(const std::vector<float>& state) {
  if (state.size() != 2 * parameters_.size()) return false;
  parameters_.assign(state.begin(), state.begin() + kParameters);
  momentum_.assign(state.begin() + kParameters, state.end());
  return true;
}
