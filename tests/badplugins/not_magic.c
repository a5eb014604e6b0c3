/* Exports the right name, but something else under it. */

#include <stdint.h>

const uint64_t something[32] __asm__("__dogpile_plugin_not_magic") = {1, 2, 3};
