#include "amd.h"

#include <stdio.h>

void put_amd(const struct tree *tree)
{
    const char *card = "class/drm/card2/device";
    static const struct {
        const char *file, *text;
    } files[] = {
        {"vendor", "0x1002\n"},
        {"device", "0x744c\n"},
        {"unique_id", "a1b2c3d4e5f60708\n"},
        {"mem_info_vram_total", "25753026560\n"},
        {"mem_info_vram_used", "52428800\n"},
        {"mem_info_gtt_total", "16777216000\n"},
        {"mem_info_gtt_used", "1048576\n"},
        {"gpu_busy_percent", "7\n"},
        {"power/runtime_status", "active\n"},
        {"hwmon/hwmon5/temp1_input", "61500\n"},
        {"hwmon/hwmon5/power1_average", "23000000\n"},
        {"drm/renderD129/dev", "226:129\n"},
    };
    char path[256];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", card, files[i].file);
        tree_put(tree, path, files[i].text);
    }
    tree_put(tree, "class/drm/card2-DP-1/status", "connected\n");
    tree_put(tree, "class/drm/card0/device/vendor", "0x8086\n");
    tree_put(tree, "class/drm/renderD129/dev", "226:129\n");
    tree_put(tree, "class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
    tree_put(tree, "class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 16\n");
    tree_put(tree, "class/kfd/kfd/topology/nodes/1/gpu_id", "4711\n");
    tree_put(tree, "class/kfd/kfd/topology/nodes/1/properties",
             "cpu_cores_count 0\nsimd_count 192\ndrm_render_minor 129\n");
    tree_put(tree, "class/kfd/kfd/proc/900/vram_4711", "1234567\n");
    tree_put(tree, "class/kfd/kfd/proc/901/vram_4711", "0\n");
    tree_put(tree, "class/kfd/kfd/proc/902/vram_5", "99\n");
}
