# Every warning flag of the project, in one place; both compilers must be clean.
set(CHANCERY_C_WARNINGS
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wpointer-arith -Wcast-qual
  -Wwrite-strings -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference
  -Wdouble-promotion)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND CHANCERY_C_WARNINGS
    -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init -Warith-conversion)
endif()
if(CHANCERY_WERROR)
  list(APPEND CHANCERY_C_WARNINGS -Werror)
endif()

set(CHANCERY_HARDENING
  -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fPIE)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND CHANCERY_HARDENING -ftrivial-auto-var-init=zero)
endif()

# gcc 12 ignores warn_unused_result on an enum type and says so; clang honours it.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:C>:-Wno-attributes>)
endif()
