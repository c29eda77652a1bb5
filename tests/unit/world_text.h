/* A world with every member there is, as text. */
#ifndef TESTS_UNIT_WORLD_TEXT_H
#define TESTS_UNIT_WORLD_TEXT_H

static const char whole[] =
    "{\"world\":1,\"time\":\"2026-11-21T03:48:28.972Z\",\"monotonic\":12.345,"
    "\"host\":{\"cpus\":2,\"total\":3,\"available\":4,\"swap_total\":5,\"swap_used\":6,"
    "\"psi\":{\"some_avg10\":0.5,\"full_avg10\":0.0,\"some_total_us\":7,\"full_total_us\":8}},"
    "\"containers\":[{\"id\":\"00aa\",\"name\":\"ollama\",\"image\":\"ollama/ollama:0.24\","
    "\"labels\":{\"supervisor.enable\":\"true\",\"\":\"\\u00e9\"},\"status\":\"running\","
    "\"health\":\"starting\",\"health_exit\":-1,\"health_output\":\"no "
    "such\",\"started_at\":\"2026-11-21T03:00:00.123456789Z\","
    "\"restart_count\":9,\"oom_killed\":false,\"exit_code\":137,\"pid\":10,\"mode\":\"enforce\","
    "\"mode_why\":\"label\",\"baseline\":11,\"uptime_s\":12.5,\"auto_remove\":true,"
    "\"swarm_task\":false,\"age_s\":0.25,\"env\":{\"LLAMA_ARG_CACHE_RAM\":\"128\",\"OLLAMA_HOST\":"
    "\"\"},"
    "\"cgroup\":{\"version\":2,\"inode\":13,\"anon\":14,\"file\":15,\"shmem\":16,\"kernel\":17,"
    "\"swap\":null,\"swapcached\":18,\"inactive_file\":19,\"usage\":20,\"peak\":21,\"limit\":null,"
    "\"bound\":6,"
    "\"swap_limit\":22,\"high\":null,\"oom_kills\":23,\"cpu_us\":24,\"disk_read\":124,\"frozen\":1,"
    "\"psi\":{"
    "\"some_avg10\":1.25}},"
    "\"connections\":25,\"unread\":125,\"received\":26,\"ollama\":{\"reachable\":true,\"version\":"
    "\"0.33.0\","
    "\"server\":39,\"latency_ms\":1.9,\"age_ms\":120.0,\"models\":[{\"name\":\"small:latest\","
    "\"digest\":\"ab\","
    "\"blob\":\"sha256-cd\",\"size\":27,\"size_vram\":28,\"context_length\":29,"
    "\"expires_at\":\"x\",\"parameters\":3000000000,\"weights\":48,\"kv_per_token\":49,"
    "\"graph\":50}]},\"processes\":[{\"pid\":30,\"ns_pid\":31,"
    "\"ppid\":32,"
    "\"started_us\":33,\"state\":\"S\",\"comm\":\"llama-server\",\"kind\":\"runner\","
    "\"blob\":\"sha256-cd\",\"port\":34,\"cpu_us\":35,\"rss_anon\":36,\"rss_file\":37,\"swap\":38,"
    "\"clients\":39},"
    "{\"pid\":39,\"kind\":\"helper\"}]},"
    "{\"status\":\"exited\",\"mode\":\"observe\",\"received\":null,\"ollama\":{\"reachable\":false,"
    "\"foreign\":true,\"doubted\":true,\"error\":\"refused\",\"server\":null}}],"
    "\"gpus\":[{\"index\":0,\"vendor\":\"nvidia\",\"name\":\"NVIDIA L4\",\"uuid\":\"GPU-1\","
    "\"vram_total\":40,\"vram_used\":41,\"utilization\":42.0,\"celsius\":43,\"watts\":31.25,"
    "\"processes\":[{\"pid\":30,\"vram\":44},{\"pid\":45}]},"
    "{\"index\":1,\"vendor\":\"amd\",\"gtt_total\":46,\"gtt_used\":47}],"
    "\"gpus_missing\":\"GPU 1: lost\"}";

#endif
