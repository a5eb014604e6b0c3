/* A plugin for a boundary that does not exist yet. What follows the first fields is of no known shape. */

#include <stdint.h>

const struct {
    uint8_t magic[8];
    uint32_t epoch;
    uint32_t length;
    uint32_t unwinds;
    uint32_t reserved;
} header __asm__("__dogpile_plugin_wrong_epoch") = {
    {'d', 'o', 'g', 'p', 'i', 'l', 'e', 1}, 999, 24, 1, 0,
};
