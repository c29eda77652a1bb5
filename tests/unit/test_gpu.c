/* GPUs: NVIDIA's by a library with NVML's names (tests/fake_nvml), AMD's from a tree as the kernel
 * makes it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "amd.h"
#include "fail_calls.h"
#include "sense/gpu.h"
#include "tree.h"
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static char libraries[PATH_MAX]; /* the directory of this program */

static struct gpu_options options_of(const struct tree *tree, int version)
{
    static char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/fake_nvml_%d.so", libraries, version);
    return (struct gpu_options){.nvml = path, .sysfs = tree->root};
}

/* What the driver answers from now on. */
static void driver(const struct tree *tree, const char *text)
{
    tree_put(tree, "driver", text);
    setenv("FAKE_NVML", tree_path(tree, "driver"), 1);
}

static struct gpu_reader *open_reader(const struct gpu_options *options)
{
    struct gpu_reader *reader = NULL;
    assert_int_equal(gpu_reader_new(options, &reader), 0);
    return reader;
}

static const struct gpu_list *look(struct gpu_reader *reader)
{
    static struct gpu_list list;
    memset(&list, 0xaa, sizeof list);
    gpu_read(reader, &list);
    return &list;
}

static const struct gpu_list *look_once(const struct gpu_options *options)
{
    struct gpu_reader *reader = open_reader(options);
    const struct gpu_list *list = look(reader);
    assert_int_equal(gpu_reader_any(reader), list->n > 0);
    gpu_reader_free(reader);
    return list;
}

static fact vram_of(const struct gpu *gpu, fact pid)
{
    for (size_t i = 0; i < gpu->n_processes; i++)
        if (gpu->processes[i].pid == pid)
            return gpu->processes[i].vram;
    return -77;
}

static void a_machine_without(void **state)
{
    const struct tree *tree = *state;
    const struct gpu_list *list =
        look_once(&(struct gpu_options){"/nonexistent/libnvidia-ml.so.1", tree->root});

    assert_int_equal(list->n, 0);
    assert_string_equal(list->missing, "");
    assert_false(list->integrated);
    list = look_once(&(struct gpu_options){"", "/nonexistent"});
    assert_int_equal(list->n, 0);
    assert_string_equal(list->missing, "");
}

static void a_driver_without_its_library(void **state)
{
    const struct tree *tree = *state;
    const struct gpu_options none = {"/nonexistent/libnvidia-ml.so.1", tree->root};

    tree_make_directory(tree, "module/nvidia");
    const struct gpu_list *list = look_once(&none);
    assert_int_equal(list->n, 0);
    assert_non_null(strstr(list->missing, "/nonexistent/libnvidia-ml.so.1"));
    assert_non_null(strstr(list->missing, "utility"));
}

static void no_library_of_nvidias(void **state)
{
    const struct tree *tree = *state;

    tree_put(tree, "text.so",
             "this is no library, but longer than the header of one: "
             "it must not be taken for one whatever it says in its first bytes");
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", tree_path(tree, "text.so"));
    const struct gpu_list *list = look_once(&(struct gpu_options){path, tree->root});
    assert_non_null(strstr(list->missing, "cannot be loaded"));
    list = look_once(&(struct gpu_options){"libm.so.6", tree->root});
    assert_string_equal(list->missing, "libm.so.6 is not NVIDIA's management library (NVML)");
}

static void two_gpus(void **state)
{
    const struct tree *tree = *state;

    driver(tree, "count 2\n"
                 "name0 NVIDIA L4\nuuid0 GPU-17\ntotal0 24152899584\nused0 1048576\n"
                 "gpu0 42\ncelsius0 55\nmilliwatts0 31250\n"
                 "compute0 100:7000 101:-\ngraphics0 100:7000 300:5\n"
                 "name1 NVIDIA T400\ntotal1 2147483648\nused1 0\n");
    for (int version = 1; version <= 3; version++) {
        struct gpu_options options = options_of(tree, version);
        const struct gpu_list *list = look_once(&options);
        const struct gpu *gpu = &list->gpus[0];
        assert_int_equal(list->n, 2);
        assert_string_equal(list->missing, "");
        assert_int_equal(gpu->vendor, GPU_NVIDIA);
        assert_int_equal(gpu->index, 0);
        assert_string_equal(gpu->name, "NVIDIA L4");
        assert_string_equal(gpu->uuid, "GPU-17");
        assert_int_equal(gpu->vram_total, 24152899584);
        assert_int_equal(gpu->vram_used, 1048576);
        assert_int_equal(gpu->gtt_total, FACT_UNKNOWN);
        assert_int_equal(gpu->utilisation_percent, 42);
        assert_int_equal(gpu->temperature_c, 55);
        assert_int_equal(gpu->power_mw, 31250);
        assert_int_equal(gpu->n_processes, 3);
        assert_int_equal(vram_of(gpu, 100), 7000);
        assert_int_equal(vram_of(gpu, 101), FACT_UNKNOWN);
        assert_int_equal(vram_of(gpu, 300), 5);
        gpu = &list->gpus[1];
        assert_int_equal(gpu->index, 1);
        assert_string_equal(gpu->uuid, "");
        assert_int_equal(gpu->vram_used, 0); /* known: none is used */
        assert_int_equal(gpu->utilisation_percent, FACT_UNKNOWN);
        assert_int_equal(gpu->temperature_c, FACT_UNKNOWN);
        assert_int_equal(gpu->power_mw, FACT_UNKNOWN);
        assert_int_equal(gpu->n_processes, 0);
    }
}

static void more_processes_than_asked_for(void **state)
{
    const struct tree *tree = *state;
    char text[8192] = "count 1\ntotal0 100000\nused0 5\ncompute0";
    size_t n = strlen(text);

    for (int pid = 1; pid <= 200; pid++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %d:%d", pid, pid * 10);
    snprintf(text + n, sizeof text - n, "\n");
    driver(tree, text);
    for (int version = 1; version <= 3; version++) {
        struct gpu_options options = options_of(tree, version);
        const struct gpu *gpu = &look_once(&options)->gpus[0];
        assert_int_equal(gpu->n_processes, GPU_PROCESSES_MAX);
        assert_int_equal(vram_of(gpu, 200), 2000); /* those that hold most are kept */
        assert_int_equal(vram_of(gpu, 137), 1370);
        assert_int_equal(vram_of(gpu, 136), -77);
    }
}

static void memory_of_the_host(void **state)
{
    const struct tree *tree = *state;
    struct gpu_options options = options_of(tree, 2);

    driver(tree, "count 2\nmemory0 3\nname0 NVIDIA GB10\ntotal1 0\n");
    const struct gpu_list *list = look_once(&options);
    assert_int_equal(list->n, 0);
    assert_true(list->integrated);
    assert_string_equal(list->missing, "");

    /* Another error: it is there, its memory is unknown. */
    driver(tree, "count 1\nmemory0 999\nname0 NVIDIA L4\n");
    list = look_once(&options);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->gpus[0].vram_total, FACT_UNKNOWN);
    assert_int_equal(list->gpus[0].vram_used, FACT_UNKNOWN);
    assert_false(list->integrated);
    driver(tree, "count 1\ntotal0 5\nused0 6\n"); /* more used than there is */
    assert_int_equal(look_once(&options)->gpus[0].vram_used, FACT_UNKNOWN);
}

static void a_driver_that_does_not_answer(void **state)
{
    const struct tree *tree = *state;
    struct gpu_options options = options_of(tree, 2);

    driver(tree, "init 18\n");
    const struct gpu_list *list = look_once(&options);
    assert_int_equal(list->n, 0);
    assert_non_null(strstr(list->missing, "different versions"));
    driver(tree, "init 9\n"); /* a library without a driver: no GPU, and no error */
    list = look_once(&options);
    assert_int_equal(list->n, 0);
    assert_string_equal(list->missing, "");
    driver(tree, "init 999\n");
    assert_non_null(strstr(look_once(&options)->missing, "NVML says failed (999)"));
}

static void one_is_lost_and_comes_back(void **state)
{
    const struct tree *tree = *state;
    struct gpu_options options = options_of(tree, 2);

    driver(tree, "count 2\ntotal0 10\nused0 1\ntotal1 20\nused1 2\n");
    struct gpu_reader *reader = open_reader(&options);
    assert_int_equal(look(reader)->n, 2);

    driver(tree, "count 2\nhandle0 15\ntotal1 20\nused1 3\n");
    const struct gpu_list *list = look(reader);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->gpus[0].index, 1); /* the other keeps its number */
    assert_int_equal(list->gpus[0].vram_used, 3);
    assert_non_null(strstr(list->missing, "GPU 0"));
    assert_non_null(strstr(list->missing, "lost"));

    driver(tree, "init 9\n"); /* the modules are being reloaded */
    assert_int_equal(look(reader)->n, 0);
    assert_true(gpu_reader_any(reader)); /* one was found once */
    driver(tree, "count 1\ntotal0 30\nused0 4\n");
    list = look(reader);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->gpus[0].vram_total, 30);
    assert_string_equal(list->missing, "");

    driver(tree, "count 1\ncounting 999\n");
    assert_non_null(strstr(look(reader)->missing, "cannot be counted"));
    gpu_reader_free(reader);
    gpu_reader_free(NULL);
}

static void more_gpus_than_are_kept(void **state)
{
    const struct tree *tree = *state;
    struct gpu_options options = options_of(tree, 2);
    char text[1024] = "count 20\n";

    for (int i = 0; i < 20; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "total%d 100\nused%d 1\n", i, i);
    driver(tree, text);
    assert_int_equal(look_once(&options)->n, GPUS_MAX);
}

static void an_amd_card(void **state)
{
    const struct tree *tree = *state;
    const struct gpu_options options = {"", tree->root};

    put_amd(tree);
    const struct gpu_list *list = look_once(&options);
    const struct gpu *gpu = &list->gpus[0];
    assert_int_equal(list->n, 1);
    assert_int_equal(gpu->vendor, GPU_AMD);
    assert_int_equal(gpu->index, 0);
    assert_string_equal(gpu->name, "AMD 1002:744c");
    assert_string_equal(gpu->uuid, "GPU-a1b2c3d4e5f60708");
    assert_int_equal(gpu->vram_total, 25753026560);
    assert_int_equal(gpu->vram_used, 52428800);
    assert_int_equal(gpu->gtt_total, 16777216000);
    assert_int_equal(gpu->gtt_used, 1048576);
    assert_int_equal(gpu->utilisation_percent, 7);
    assert_int_equal(gpu->temperature_c, 61);
    assert_int_equal(gpu->power_mw, 23000);
    assert_int_equal(gpu->n_processes, 1);
    assert_int_equal(vram_of(gpu, 900), 1234567);

    tree_put(tree, "class/drm/card2/device/product_name", "AMD Instinct MI210\n");
    tree_remove(tree, "class/drm/card2/device/hwmon/hwmon5/power1_average");
    tree_put(tree, "class/drm/card2/device/hwmon/hwmon5/power1_input", "5000000\n");
    gpu = &look_once(&options)->gpus[0];
    assert_string_equal(gpu->name, "AMD Instinct MI210");
    assert_int_equal(gpu->power_mw, 5000);
}

static void an_amd_card_that_tells_little(void **state)
{
    const struct tree *tree = *state;
    const struct gpu_options options = {"", tree->root};

    tree_put(tree, "class/drm/card10/device/vendor", "0x1002\n");
    tree_put(tree, "class/drm/card9/device/vendor", "0x1002\n");
    tree_put(tree, "class/drm/card9/device/device", "0x15bf\n");
    tree_put(tree, "class/drm/card9/device/mem_info_vram_total", "not a number\n");
    tree_put(tree, "class/drm/card9/device/gpu_busy_percent", "255\n");
    const struct gpu_list *list = look_once(&options);
    assert_int_equal(list->n, 2);
    assert_string_equal(list->gpus[0].name, "AMD 1002:15bf"); /* 9 is before 10 */
    assert_int_equal(list->gpus[0].vram_total, FACT_UNKNOWN);
    assert_int_equal(list->gpus[0].utilisation_percent, FACT_UNKNOWN);
    assert_int_equal(list->gpus[0].temperature_c, FACT_UNKNOWN);
    assert_string_equal(list->gpus[1].name, "");
    assert_int_equal(list->gpus[1].index, 1);
}

static void a_card_that_sleeps_is_not_woken(void **state)
{
    const struct tree *tree = *state;
    const struct gpu_options options = {"", tree->root};

    put_amd(tree);
    tree_put(tree, "class/drm/card2/device/power/runtime_status", "suspended\n");
    const struct gpu *gpu = &look_once(&options)->gpus[0];
    assert_int_equal(gpu->vram_total, 25753026560);
    assert_int_equal(gpu->temperature_c, FACT_UNKNOWN);
    assert_int_equal(gpu->utilisation_percent, FACT_UNKNOWN);
}

static void every_allocation_may_fail(void **state)
{
    const struct tree *tree = *state;
    struct gpu_options options = options_of(tree, 2);
    size_t files = open_files();

    put_amd(tree);
    driver(tree, "count 1\ntotal0 10\nused0 1\ncompute0 100:1\n");
    for (long n = 0; n < 3; n++) { /* the reader, the list, the library */
        struct gpu_reader *reader = NULL;
        fail_malloc = (struct fail_call){n, ENOMEM};
        assert_int_equal(gpu_reader_new(&options, &reader), -ENOMEM);
        assert_true(fail_malloc.at < 0);
        fail_malloc = NOT_FAILING;
        assert_null(reader);
    }
    struct gpu_reader *reader = open_reader(&options);
    fail_malloc = (struct fail_call){0, ENOMEM}; /* the list of processes */
    const struct gpu_list *list = look(reader);
    fail_malloc = NOT_FAILING;
    assert_int_equal(list->n, 2);
    assert_int_equal(list->gpus[0].vram_used, 1);
    assert_int_equal(list->gpus[0].n_processes, 0);
    assert_int_equal(look(reader)->gpus[0].n_processes, 1);
    gpu_reader_free(reader);
    assert_int_equal(open_files(), files);
}

int main(int argc, char **argv)
{
    (void)argc, (void)argv;
    ssize_t n = readlink("/proc/self/exe", libraries, sizeof libraries - 1);
    if (n < 0)
        return 1;
    dirname(libraries);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_machine_without, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_driver_without_its_library, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(no_library_of_nvidias, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(two_gpus, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(more_processes_than_asked_for, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(memory_of_the_host, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_driver_that_does_not_answer, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(one_is_lost_and_comes_back, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(more_gpus_than_are_kept, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(an_amd_card, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(an_amd_card_that_tells_little, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_card_that_sleeps_is_not_woken, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, tree_make, tree_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
