/** Tests of what users get wrong: one clear message, the right exit code, nothing lost. */
import { assertEquals, assertMatch } from "@std/assert";
import { hindsight, TestFolder } from "./support.ts";

// In arguments, $F is the folder, $RUN a good recording and $GUEST what runs; in messages "F" stands for the folder.
// deno-fmt-ignore
const CASES: readonly (readonly [line: string, code: number, message: RegExp])[] = [
  // Commands and options.
  ["",                                        2, /^$/],
  ["recrod",                                  2, /no command "recrod"\. Did you mean "record"\?\nTry: hindsight --help\n$/],
  ["xyzzy --json",                            2, /no command "xyzzy"; there are record, .*, pack\nTry: hindsight --help\n$/],
  ["record -x",                               2, /Try: hindsight record --help\n$/],
  ["-o x record",                             2, /A command comes before options/],
  ["record",                                  2, /record needs a journal to write: -o FILE/],
  ["record -o $F/x -nografic",                2, /There is no option -nografic\. Did you mean "nographic"\?/],
  ["record -o $F/x stray",                    2, /record takes no arguments besides options, not "stray"/],
  ["record -o $F/x -M raspi3b",               2, /There is no machine "raspi3b": use -M virt/],
  ["record -o $F/x -M virt -cpu a64fx",       2, /-cpu a64fx is not built: there are cortex-a57 and max/],
  ["record -o $F/x -smp 9",                   2, /-smp takes a whole number from 1 to 8/],
  ["record -o $F/x -m 4G",                    2, /at most 3 GiB of RAM/],
  ["record -o $F/x --depth all $GUEST",       2, /--depth is inputs or traps or steps, not "all"/],
  ["record -o $F/x --engine warp $GUEST",     2, /There is no engine "warp": use /],
  ["record -o $F/x --quantum 5",              2, /--quantum takes a whole number from 64/],
  ["record -o $F/x --strict tbl",             2, /--strict: there is no model "tbl"\. Did you mean "tlb"\?/],
  ["record -o $F/x --strict tlb,,icache",     2, /--strict: there is no model ""; there are tlb, icache, dcache, context/],
  ["record -o $F/x --until-console",          2, /-until-console needs a value/],
  ["record -o $F/x --until-console \\z",      2, /escapes are those of JSON/],
  ["record -o $F/x $GUEST -drive file=d",     1, /Cannot open disk image "d": there is no such file/],
  ["record -o $F/x -append a",                2, /-append without -kernel/],
  // Images.
  ["record -o $F/x",                          2, /There is nothing to run: give -bios FILE, -pflash FILE, -kernel FILE or -device/],
  ["record -o $F/x -M virt -dtb $F/empty",    2, /There is nothing to run/],
  ["record -o $F/x -bios $F/none",            1, /Cannot read bios "F\/none": there is no such file/],
  ["record -o $F/x -bios $F",                 1, /Cannot read bios "F": it is a directory/],
  ["record -o $F/x -kernel $F/empty",         2, /Cannot load kernel "F\/empty": the file is empty/],
  ["record -o $F/x -m 8 -kernel $F/large",    2, /Cannot load kernel "F\/large": .* -m/],
  ["record -o $F/x -kernel $F/cut.elf",       2, /Cannot load kernel "F\/cut.elf": /],
  ["record -o $F/x -kernel $F/x86.elf",       2, /it is an ELF file, but not one of 64-bit little-endian AArch64/],
  ["record -o $F/x -m 16 -initrd $F/large $GUEST", 2, /Cannot load initrd "F\/large": .* do not fit in RAM.* -m/],
  ["record -o $F/x -initrd $F/large",         2, /-initrd without -kernel/],
  ["record -o $F/x -pflash $F/none",          1, /Cannot read flash file "F\/none": there is no such file/],
  ["record -o $F/x -pflash $F/large",         2, /flash bank 0 "F\/large": it has 16777216 bytes/],
  ["record -o $F/x -dtb $F/map $GUEST",       2, /Cannot load dtb "F\/map": /],
  ["record -o $F/x -device loader,file=$F,addr=0x40000000", 1, /Cannot read loader file "F": it is a directory/],
  ["record -o $F/x $GUEST -device guest-loader,addr=0x40400000,kernel=$F/none", 1, /Cannot read guest's kernel "F\/none"/],
  ["record -o $F/x $GUEST -M virt,gic-version=9", 2, /gic-version=9 is not possible here .*; use gic-version=2/],
  ["record -o $F/x $GUEST -append " + "a".repeat(70_000), 2, /boot\.append/],
  // Disks and networks.
  ["record -o $F/x $GUEST -drive file=$F",    1, /Cannot open disk image "F": it is a directory/],
  ["record -o $F/x $GUEST -drive file=$F/empty", 1, /disk image "F\/empty": it is empty/],
  ["record -o $F/x $GUEST -drive file=$F/map,format=qcow2", 1, /disk image "F\/map": it is no qcow2 image/],
  ["record -o $F/x $GUEST -drive file=$F/map,if=none,id=a -drive file=$F/large,if=none,id=a", 2, /id=a is given twice: to "F\/map" and "F\/large"/],
  ["record -o $F/x $GUEST -drive file=$F/map,if=none,id=a", 2, /Drive "a" is in no device: add -device virtio-blk-pci,drive=a/],
  ["record -o $F/x $GUEST -drive file=$F/map,if=none,id=9a", 2, /-drive: id=9a is no name/],
  ["record -o $F/x $GUEST -device virtio-blk-pci,drive=a", 2, /there is no -drive with id=a; there are none/],
  ["record -o $F/x $GUEST -device virtio-rng-pci,id=power", 2, /Cannot use id=power: the board has something of that name/],
  ["record -o $F/x $GUEST -nic user,tftp=$F/none", 1, /Cannot serve folder "F\/none": there is no such folder/],
  ["record -o $F/x $GUEST -nic user,tftp=$F/map", 1, /Cannot serve folder "F\/map": it is not a folder/],
  ["record -o $F/x $GUEST -netdev user,id=n", 2, /Network "n" has no card: add -device virtio-net-pci,netdev=n/],
  ["hunt --seeds 1..2 --all $GUEST -nic socket,udp=:9,localaddr=:0", 2, /hunt has no network from outside/],
  // Scripts.
  ["record -o $F/x --script $F/none",         1, /Cannot read script "F\/none": there is no such file/],
  ["record -o $F/x --script $F/bad.script",   2, /bad\.script:2:1: there is no "sned".*Did you mean "send"\?/],
  // Outputs.
  ["record -o $F/no/x $GUEST --until 1",      1, /Cannot write journal "F\/no\/x": there is no such directory/],
  ["record -o $F $GUEST --until 1",           1, /Cannot write journal "F": it is a directory/],
  ["record -o $F/notes.txt $GUEST --until 1", 1, /is there and is no journal; give another name/],
  ["pack $RUN -o $F/notes.txt",               1, /is there and is no journal; give another name/],
  ["pack $RUN",                               2, /pack needs a file to write: -o OUT/],
  // Journals.
  ["replay",                                  2, /replay takes RUN besides options/],
  ["replay $F/none",                          1, /Cannot open journal "F\/none": there is no such file/],
  ["replay $F/notes.txt",                     1, /notes\.txt": it is not a Hindsight journal/],
  ["replay $F/flipped",                       1, /block [0-9]+ at offset [0-9]+ is damaged/],
  ["replay $F/later",                         1, /it has format 99 and this build knows formats up to/],
  // Questions.
  ["events $RUN --kind exceptionTake",        2, /there is no "exceptionTake"\. Did you mean "exceptionTaken"\?/],
  ["events $RUN --class trap,foo",            2, /--class: there is no "foo"/],
  ["events $RUN --from x",                    2, /--from takes a whole number/],
  ["state $RUN",                              2, /state needs an instant: --at N/],
  ["state $RUN --at 99999",                   2, /--at 99999: the run ends at instant 40/],
  ["state $RUN --at 1 --memory 0x100000000000", 2, /the machine has no memory there/],
  ["bisect $RUN",                             2, /bisect needs an expression, --when EXPR, or a second run/],
  ["bisect $RUN --when instant",              2, /has type int; a predicate needs bool/],
  ["bisect $RUN --when memory(",              2, /memory\(/],
  ["bisect $RUN --when memory(134217728,8)==1", 2, /There is no memory at 0x8000000/],
  ["bisect $RUN --when register(\"x99\")==1", 2, /There is no register "x99"/],
  ["bisect $RUN --when symbol(\"a\")==1",      2, /symbol\("a"\) needs --symbols FILE/],
  ["bisect $RUN --symbols $F/map --when symbol(\"strat\")==1", 2, /no symbol "strat"\. Did you mean "start"\?/],
  ["bisect $RUN --symbols $F/map --when symbol(\"twice\")==1", 2, /There are 2 symbols "twice": .*\(0x10, 0x20\)/],
  // Symbols.
  ["events $RUN --symbols $F/none",           1, /Cannot read symbols "F\/none": there is no such file/],
  ["events $RUN --symbols $F/map@12",         2, /--symbols F\/map@12: OFFSET is hexadecimal .*, not "12"/],
  ["events $RUN --symbols $F/notes.txt",      2, /Cannot read symbols of "F\/notes.txt": line 1 is "not a journal.*", not "ADDRESS/],
  ["state $RUN --at 1 --symbols $F/cut.elf",  2, /Cannot read symbols of "F\/cut.elf": .*ELF header ends past its 8 bytes/],
  ["diff $RUN $RUN --symbols $F/large",       2, /it is neither ELF, nor an arm64 Image, nor text as nm prints it/],
  ["replay $RUN --symbols $F/empty",          2, /Cannot read symbols of "F\/empty": it has none; if it was stripped/],
  ["diff $RUN",                               2, /diff takes A and B besides options/],
];

/** A folder with files that are wrong in their ways. */
async function badFolder(): Promise<TestFolder> {
  const folder = new TestFolder();
  const { code, err } = await hindsight(folder.record("run", "--until", "40", "--root-interval", "16"), {
    typed: [[0, "abc"]],
  });
  assertEquals(code, 0, err);
  const run = Deno.readFileSync(folder.path("run"));
  folder.write("empty", "");
  folder.write("large", new Uint8Array(16 << 20));
  folder.write("cut.elf", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0));
  folder.write(
    "x86.elf",
    Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...new Uint8Array(9), 2, 0, 62, ...new Uint8Array(100)),
  );
  folder.write("bad.script", '# typed\nsned "x"\n');
  folder.write("notes.txt", "not a journal, and dear to somebody");
  folder.write("map", "40080000 T start\n10 t twice\n20 t twice\n");
  folder.write("flipped", run.with(200, run[200]! ^ 1));
  folder.write("later", run.with(14, 99));
  return folder;
}

Deno.test("bad input gets one clear message and the right exit code", async () => {
  using folder = await badFolder();
  const root = folder.path("").slice(0, -1);
  for (const [line, code, message] of CASES) {
    const args = line.replace("$GUEST", "-m 8 -kernel $F/guest.bin").split(" ").filter((word) => word !== "")
      .map((word) => word.replace("$RUN", folder.path("run")).replace("$F", root));
    const outcome = await hindsight(args);
    const err = outcome.err.replaceAll(root, "F");
    assertEquals(outcome.code, code, `${line}: ${err}`);
    assertMatch(err, message, line);
    assertEquals(/^ +at |defect/m.test(err), false, `${line}: ${err}`);
  }
  assertEquals(Deno.readTextFileSync(folder.path("notes.txt")), "not a journal, and dear to somebody");
});
