#include <cmath>

#include "kernels.h"
#include "launch.h"

namespace kernels {
namespace {

/// Where row `index` begins, of rows of `size` numbers.
template <class Number>
__host__ __device__ Number* row(Number* rows, int index, int size) {
  return rows + static_cast<std::ptrdiff_t>(index) * size;
}

__global__ void gather_pixel(int count, const float* images, const int* order, int pixels,
                             float* batch_pixels) {
  const int i = element();
  if (i >= count) return;
  batch_pixels[i] = images[order[i / pixels] * pixels + i % pixels];
}

__global__ void gather_digit(int count, const int* digits, const int* order, int* batch_digits) {
  const int i = element();
  if (i >= count) return;
  batch_digits[i] = digits[order[i]];
}

__global__ void multiply_output(int count, Layer<const float> layer, const float* inputs,
                                float* outputs) {
  const int i = element();
  if (i >= count) return;
  const int output = i % layer.outputs;
  const float* weights = row(layer.weights, output, layer.inputs);
  const float* input = row(inputs, i / layer.outputs, layer.inputs);
  float sum = layer.biases[output];
  for (int j = 0; j < layer.inputs; ++j) sum += weights[j] * input[j];
  outputs[i] = sum;
}

__global__ void rectify_value(int count, float* values) {
  const int i = element();
  if (i < count && values[i] < 0) values[i] = 0;
}

__global__ void lose_image(int count, const int* digits, int classes, float* outputs,
                           float* losses) {
  const int image = element();
  if (image >= count) return;
  float* values = row(outputs, image, classes);
  float largest = values[0];
  for (int i = 1; i < classes; ++i) largest = values[i] > largest ? values[i] : largest;
  float sum = 0;
  for (int i = 0; i < classes; ++i) sum += values[i] = expf(values[i] - largest);
  for (int i = 0; i < classes; ++i) values[i] /= sum;
  const float right = values[digits[image]];
  losses[image] = -logf(right > 1e-30F ? right : 1e-30F);
  values[digits[image]] = right - 1;
}

__global__ void propagate_to_input(int count, Layer<const float> layer, const float* output_errors,
                                   const float* inputs, float* input_errors) {
  const int i = element();
  if (i >= count) return;
  const float* errors = row(output_errors, i / layer.inputs, layer.outputs);
  const float* column = layer.weights + i % layer.inputs;
  float sum = 0;
  for (int j = 0; j < layer.outputs; ++j) sum += errors[j] * *row(column, j, layer.inputs);
  input_errors[i] = inputs[i] > 0 ? sum : 0;
}

__global__ void differentiate_weight(int count, Layer<float> gradient, const float* inputs,
                                     const float* output_errors, int images) {
  const int i = element();
  if (i >= count) return;
  const float* errors = output_errors + i / gradient.inputs;
  const float* input = inputs + i % gradient.inputs;
  float sum = 0;
  for (int image = 0; image < images; ++image) {
    sum += *row(errors, image, gradient.outputs) * *row(input, image, gradient.inputs);
  }
  gradient.weights[i] = sum;
}

__global__ void differentiate_bias(int count, Layer<float> gradient, const float* output_errors,
                                   int images) {
  const int i = element();
  if (i >= count) return;
  float sum = 0;
  for (int image = 0; image < images; ++image) sum += output_errors[image * count + i];
  gradient.biases[i] = sum;
}

__global__ void total_all(int count, const float* losses, int images, float stop, float* totals) {
  if (element() >= count) return;
  float sum = 0;
  for (int image = 0; image < images; ++image) sum += losses[image];
  totals[0] = sum;
  totals[1] = stop;
}

__global__ void step_parameter(int count, const float* gradient, float scale, float learning_rate,
                               float momentum, float* velocities, float* parameters) {
  const int i = element();
  if (i >= count) return;
  velocities[i] = momentum * velocities[i] + gradient[i] * scale;
  parameters[i] -= learning_rate * velocities[i];
}

}  // namespace

void gather(cudaStream_t stream, const float* images, const int* digits, const int* order,
            int pixels, int count, float* batch_pixels, int* batch_digits) {
  launch(stream, count * pixels, gather_pixel, images, order, pixels, batch_pixels);
  launch(stream, count, gather_digit, digits, order, batch_digits);
}

void multiply(cudaStream_t stream, Layer<const float> layer, const float* inputs, int count,
              float* outputs) {
  launch(stream, count * layer.outputs, multiply_output, layer, inputs, outputs);
}

void rectify(cudaStream_t stream, int size, float* values) {
  launch(stream, size, rectify_value, values);
}

void lose(cudaStream_t stream, const int* digits, int classes, int count, float* outputs,
          float* losses) {
  launch(stream, count, lose_image, digits, classes, outputs, losses);
}

void propagate(cudaStream_t stream, Layer<const float> layer, const float* output_errors,
               const float* inputs, int count, float* input_errors) {
  launch(stream, count * layer.inputs, propagate_to_input, layer, output_errors, inputs,
         input_errors);
}

void differentiate(cudaStream_t stream, Layer<float> gradient, const float* inputs,
                   const float* output_errors, int count) {
  launch(stream, gradient.inputs * gradient.outputs, differentiate_weight, gradient, inputs,
         output_errors, count);
  launch(stream, gradient.outputs, differentiate_bias, gradient, output_errors, count);
}

void total(cudaStream_t stream, const float* losses, int count, float stop, float* totals) {
  launch(stream, 1, total_all, losses, count, stop, totals);
}

void step(cudaStream_t stream, const float* gradient, float scale, float learning_rate,
          float momentum, int size, float* velocities, float* parameters) {
  launch(stream, size, step_parameter, gradient, scale, learning_rate, momentum, velocities,
         parameters);
}

}  // namespace kernels
