/** The NVMe controller answers what QEMU's does, to commands right and wrong (fixture of tests/oracle/device_oracle.ts). */
import { assert } from "@std/assert";
import { NVME_TRACE, replayNvmeTrace } from "./trace.ts";

Deno.test("NvmeController answers QEMU's trace as QEMU did", async () => {
  const lines = (await Deno.readTextFile(NVME_TRACE)).trimEnd().split("\n");
  assert(replayNvmeTrace("nvme", lines) > 500);
});
