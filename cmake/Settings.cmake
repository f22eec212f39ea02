# trainit_settings: how every target of this project is compiled and linked.
add_library(trainit_settings INTERFACE)
target_compile_features(trainit_settings INTERFACE cxx_std_20)
# Sections are collected at link time: a quarter of a static binary is otherwise unused code.
target_compile_options(trainit_settings INTERFACE -ffunction-sections -fdata-sections)
target_link_options(trainit_settings INTERFACE -Wl,--gc-sections)
if(TRAINIT_STATIC)
  # But for programs that load libraries, which have the property trainit_dynamic.
  target_link_options(trainit_settings INTERFACE "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:trainit_dynamic>>>:-static>")
endif()

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# trainit_layer(NAME SOURCES… DEPENDS…): one layer of the house as a static library `trainit_NAME`,
# known to consumers as `trainit::NAME`. It sees only the layers it names, and those below them.
function(trainit_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 layer "" "" "SOURCES;DEPENDS")
  add_library(trainit_${name} STATIC ${layer_SOURCES})
  add_library(trainit::${name} ALIAS trainit_${name})
  set_target_properties(trainit_${name} PROPERTIES EXPORT_NAME ${name})
  target_link_libraries(trainit_${name} PUBLIC ${layer_DEPENDS}
                        PRIVATE $<BUILD_INTERFACE:trainit_settings> $<BUILD_INTERFACE:trainit_warnings>)
endfunction()
