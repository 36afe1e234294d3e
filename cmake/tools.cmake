# SPDX-License-Identifier: GPL-2.0-only
#
# What runs beside the kernel modules: coloctl and the plugins of iptables. kernel-ref/Makefile
# builds them for a host; this does it for the tests.

find_library(COLO_MNL_LIBRARY mnl)
find_library(COLO_XTABLES_LIBRARY xtables)
set(colo_tool_options -Wall -Wextra -Wpedantic -Wvla -Wdeclaration-after-statement
                      -Wmissing-prototypes -Wframe-larger-than=8192)

# colo_add_plugins(SHARED file... TARGETS name...) makes libxt_<name>.so of each target.
function(colo_add_plugins)
  cmake_parse_arguments(PLUGIN "" "" "SHARED;TARGETS" ${ARGN})
  if(NOT COLO_XTABLES_LIBRARY)
    message(STATUS "No plugins of iptables without libxtables-dev (packages.txt)")
    return()
  endif()
  foreach(source ${PLUGIN_TARGETS})
    get_filename_component(name ${source} NAME_WE)
    add_library(${name} MODULE ${source} ${PLUGIN_SHARED})
    target_link_libraries(${name} PRIVATE ${COLO_XTABLES_LIBRARY})
    target_compile_options(${name} PRIVATE ${colo_tool_options})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    set_target_properties(
      ${name}
      PROPERTIES PREFIX ""
                 C_STANDARD 11
                 C_EXTENSIONS OFF
                 LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools)
  endforeach()
endfunction()

# colo_add_coloctl(MAIN file SOURCES file...) makes colo-coloctl, objects, and coloctl of them.
function(colo_add_coloctl)
  cmake_parse_arguments(COLOCTL "" "MAIN" "SOURCES" ${ARGN})
  if(NOT COLO_MNL_LIBRARY)
    message(STATUS "No coloctl without libmnl-dev (packages.txt)")
    return()
  endif()
  add_library(colo-coloctl OBJECT ${COLOCTL_SOURCES})
  target_link_libraries(colo-coloctl PUBLIC ${COLO_MNL_LIBRARY} m)
  add_executable(coloctl ${COLOCTL_MAIN})
  target_link_libraries(coloctl PRIVATE colo-coloctl colo-core) # whose reasons it tells
  foreach(target colo-coloctl coloctl)
    target_compile_options(${target} PRIVATE ${colo_tool_options})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    set_target_properties(
      ${target}
      PROPERTIES C_STANDARD 11
                 C_STANDARD_REQUIRED ON
                 C_EXTENSIONS OFF
                 RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools)
  endforeach()
endfunction()
