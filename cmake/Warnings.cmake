# trainit_warnings: on for our own code only; presets turn them into errors.
option(TRAINIT_WARNINGS_AS_ERRORS "Treat warnings as errors" OFF)
add_library(trainit_warnings INTERFACE)
target_compile_options(trainit_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wcast-align -Wconversion -Wno-sign-conversion
  -Wimplicit-fallthrough -Wformat=2
  "$<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Woverloaded-virtual>"
  $<$<BOOL:${TRAINIT_WARNINGS_AS_ERRORS}>:-Werror>)
