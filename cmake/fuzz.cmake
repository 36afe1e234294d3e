# SPDX-License-Identifier: GPL-2.0-only
#
# libFuzzer's targets. Only clang builds them, whatever builds the rest, and all that is in them
# is instrumented: so they are made of objects of their own, by commands of their own.

find_program(COLO_CLANG clang)
find_program(COLO_CLANGXX clang++)
# clang is there for other tests as well; libFuzzer's runtime is another package.
if(COLO_CLANGXX AND NOT DEFINED COLO_HAS_FUZZER)
  file(WRITE ${CMAKE_BINARY_DIR}/fuzz/probe.cc
       "extern \"C\" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n")
  execute_process(
    COMMAND ${COLO_CLANGXX} -fsanitize=fuzzer,address,undefined ${CMAKE_BINARY_DIR}/fuzz/probe.cc
            -o ${CMAKE_BINARY_DIR}/fuzz/probe
    RESULT_VARIABLE result
    OUTPUT_QUIET ERROR_QUIET)
  string(COMPARE EQUAL "${result}" 0 works)
  set(COLO_HAS_FUZZER ${works} CACHE BOOL "Does clang link fuzzers?")
endif()

set(colo_fuzz_flags -g -O1 -Wall -Wextra -Werror -fno-omit-frame-pointer
                    -fsanitize=address,undefined -fno-sanitize-recover=undefined)

# One object, again when what it includes has changed. What is to be covered is the core; to watch
# the oracle as well would only be slow.
function(colo_add_fuzz_object object source)
  set(compiler ${COLO_CLANGXX} -std=c++17)
  if(source MATCHES "\\.c$")
    set(compiler ${COLO_CLANG} -std=c11 -fsanitize=fuzzer-no-link)
  endif()
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${COLO_CCACHE} ${compiler} ${colo_fuzz_flags} -I kernel-ref/core -I test -I test/fuzz
            -MD -MF ${object}.d -c ${source} -o ${object}
    DEPENDS ${source}
    DEPFILE ${object}.d
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    VERBATIM)
endfunction()

# colo_add_fuzzers(COMMON file... TARGETS file... HEADERS file...) makes a program of each target.
function(colo_add_fuzzers)
  cmake_parse_arguments(FUZZ "" "" "COMMON;TARGETS;HEADERS" ${ARGN})
  if(NOT COLO_HAS_FUZZER)
    message(STATUS "No fuzzers without clang and libFuzzer (packages.txt)")
    return()
  endif()
  foreach(source ${FUZZ_COMMON})
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_BINARY_DIR}/fuzz/${name}.o)
    colo_add_fuzz_object(${object} ${source})
    list(APPEND common ${object})
  endforeach()
  foreach(source ${FUZZ_TARGETS})
    get_filename_component(name ${source} NAME_WE)
    set(program ${CMAKE_BINARY_DIR}/fuzz/${name})
    colo_add_fuzz_object(${program}.o ${source})
    add_custom_command(
      OUTPUT ${program}
      COMMAND ${COLO_CLANGXX} -fsanitize=fuzzer,address,undefined ${program}.o ${common} -o
              ${program}
      DEPENDS ${program}.o ${common}
      VERBATIM)
    add_custom_target(${name} ALL DEPENDS ${program})
  endforeach()
endfunction()
