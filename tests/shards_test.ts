/** Every shard has a file, so that no test is left out. */
import { assertEquals, assertRejects } from "@std/assert";
import { importShard, SHARDS } from "./shards.ts";

Deno.test("SHARDS counts the files of shards, each of which imports its own", () => {
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard),
    folder = new URL("shards/", import.meta.url);
  assertEquals(
    [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
    shards.map((shard) => `${shard}.ts`).sort(),
  );
  for (const shard of shards) {
    const text = Deno.readTextFileSync(new URL(`${shard}.ts`, folder));
    assertEquals(
      text.includes(`\nawait importShard(${shard});\n`),
      true,
      `${shard}.ts imports another shard`,
    );
  }
});

Deno.test("importShard refuses a shard that there is not", async () => {
  await assertRejects(() => importShard(SHARDS), RangeError, "There is no shard 6 of 6");
});
