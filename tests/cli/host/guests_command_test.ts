/** The command that fetches guests, as a process of its own. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { DEB, deb, withFolders } from "./guests_support.ts";

/** Runs the command itself. */
async function command(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const path = new URL("../../../cli/host/guests.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--quiet", "-A", path, ...args],
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("guests fetches, lists and is quiet in a pipe", async () => {
  await withFolders({ [DEB]: deb() }, async (from, into) => {
    const absent = await command("--list", "--into", into);
    assertStringIncludes(absent.out, "not fetched");
    const fetched = await command("u-boot", "--from", from, "--into", into);
    assertEquals([fetched.code, fetched.err], [0, ""]);
    assertStringIncludes(fetched.out, `2023.01  ${into}/u-boot/u-boot.bin`);
    const listed = JSON.parse((await command("--list", "--json", "--into", into)).out);
    assertEquals(listed.map((guest: { image?: string }) => guest.image).filter(Boolean), [
      `${into}/u-boot/u-boot.bin`,
    ]);
  });
});

Deno.test("guests exits 2 for misuse and 1 for failure, with one message", async () => {
  await withFolders(
    { "u-boot-qemu_1_all.deb": deb(), "u-boot-qemu_2_all.deb": deb() },
    async (from, into) => {
      const rows: [args: string[], code: number, message: string][] = [
        [["--bogus"], 2, "Unknown option --bogus"],
        [["nothing"], 2, 'No guest "nothing"'],
        [["--from"], 2, "--from needs a value"],
        [["--from", from, "--mirror", "http://127.0.0.1/"], 2, "exclude each other"],
        [["--mirror", "nonsense"], 2, "is not a URL"],
        [["--from", `${from}/absent`, "--into", into], 1, "Cannot read directory"],
        [["--from", into, "--into", into], 1, "No package u-boot-qemu"],
        [["--from", from, "--into", into], 1, "keep one of u-boot-qemu_1_all.deb, u-boot-qemu_2_all.deb"],
        [["--from", from, "--into", "/proc/nowhere"], 1, "/proc/nowhere"],
      ];
      const results = await Promise.all(rows.map(([args]) => command(...args)));
      for (const [i, [args, code, message]] of rows.entries()) {
        const { code: found, out, err } = results[i]!;
        assertEquals([found, out], [code, ""], `${args.join(" ")}: ${err}`);
        assertStringIncludes(err, message);
        assertEquals(err.includes("    at "), false, "no stack trace");
      }
    },
  );
});
