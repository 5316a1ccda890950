/**
 * Lets guests in QEMU speak to the inner peer: U-Boot, Linux with busybox, and EDK2 by PXE and by HTTP; all they load must
 * arrive byte by byte. `--record` keeps what the first two say as fixtures, `--quick` asks U-Boot alone.
 */
import { crc32 } from "node:zlib";
import { createHash } from "node:crypto";
import { GuestError } from "../../cli/host/guests/guest.ts";
import { resolveGuest } from "../../cli/host/guests/store.ts";
import {
  bytesOf,
  type ConversationName,
  conversationPath,
  printConversation,
  SERVED,
} from "../machine/network/conversation.ts";
import { Cable } from "./network/cable.ts";
import { GuestConsole } from "./network/console.ts";

/** The file that is too big for mistakes of a rare kind to stay away. */
const BIG = bytesOf(20 * 2 ** 20 + 123);
const BIG_CRC = (crc32(BIG) >>> 0).toString(16).padStart(8, "0");
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const BIG_HASH = hashOf(BIG);
const fileHash = (path: string): string =>
  hashOf(SERVED.find((file) => file.path === path)?.contents ?? new Uint8Array(0));

/** A command, and what it must print. */
type Step = readonly [command: string, answer: RegExp];

/** A guest and what it is asked to do. */
interface Scenario {
  readonly name: string;
  /** The fixture that its first steps make. */
  readonly fixture: ConversationName | undefined;
  readonly isQuick: boolean;
  readonly bootFile: string;
  /** Files beside SERVED and the big one. */
  readonly files?: () => { path: string; contents: Uint8Array }[];
  /** QEMU's options but for the network. */
  readonly options: () => string[];
  readonly card: string;
  /** Console before the first step, and what is typed at it. */
  readonly opening: readonly (readonly [RegExp, string])[];
  readonly prompt: RegExp;
  /** The conversation of these is the fixture. */
  readonly steps: readonly Step[];
  /** These have too much to say. */
  readonly more: readonly Step[];
}

const MACHINE = [
  "-M",
  "virt",
  "-cpu",
  "cortex-a57",
  "-m",
  "512",
  "-display",
  "none",
  "-serial",
  "stdio",
  "-monitor",
  "none",
];
const fileOf = (guest: string, file: string): string => resolveGuest(guest).files[file] as string;

const U_BOOT: Scenario = {
  name: "U-Boot",
  fixture: "u-boot",
  isQuick: true,
  bootFile: "folder/small",
  options: () => ["-bios", fileOf("u-boot", "u-boot.bin")],
  card: "virtio-net-device,netdev=n",
  opening: [[/Loading Environment/, " "]],
  prompt: /\r\n=> $/,
  steps: [
    ["setenv autoload no; dhcp", /client bound to address 10\.0\.2\.15/],
    ["ping 10.0.2.2", /host 10\.0\.2\.2 is alive/],
    ["ping 10.0.2.3", /host 10\.0\.2\.3 is alive/],
    ["tftpboot 42000000 file", /Bytes transferred = 10000 /],
    ["tftpboot 42000000 missing", /File not found/],
    ["setenv autoload yes; dhcp 42000000", /Filename 'folder\/small'[^]*Bytes transferred = 100 /],
  ],
  more: [
    ["tftpboot 42000000 big; crc32 42000000 ${filesize}", new RegExp(`==> ${BIG_CRC}`)],
    [
      "setenv tftpwindowsize 16; tftpboot 44000000 big; crc32 44000000 ${filesize}",
      new RegExp(`==> ${BIG_CRC}`),
    ],
  ],
};

const LINUX: Scenario = {
  name: "Linux",
  fixture: "linux",
  isQuick: false,
  bootFile: "folder/small",
  options: () => [
    ...["-kernel", fileOf("linux-cloud", "Image"), "-initrd", fileOf("linux-cloud", "initrd.gz")],
    ...["-append", "console=ttyAMA0 quiet"],
  ],
  card: "virtio-net-pci,netdev=n,romfile=",
  opening: [[/hindsight: shell/, ""]],
  prompt: /(^|\n)# .{0,4}$/,
  steps: [
    ["ip link set eth0 up; udhcpc -i eth0 -n -q", /lease of 10\.0\.2\.15 obtained from 10\.0\.2\.2/],
    ["ping -c 1 10.0.2.2", /1 packets received/],
    ["nslookup hindsight 10.0.2.3", /Address: 10\.0\.2\.2/],
    ["nslookup www.debian.org 10.0.2.3", /NXDOMAIN/],
    ["wget -q -O - http://10.0.2.2/file | sha256sum", new RegExp(fileHash("file"))],
    ["wget -q -O - http://10.0.2.2/", /file\r\nfolder\/\r\nempty/],
    ["wget http://10.0.2.2/missing", /404 Not Found/],
    ["wget http://10.0.2.3/", /Connection refused/],
    ["nc 1.1.1.1 80", /Network is unreachable/],
    ["busybox traceroute -n -w 1 -m 3 10.0.2.2", / 1 {2}10\.0\.2\.2 /],
    ["tftp -g -r file -l /f 10.0.2.2; sha256sum /f", new RegExp(fileHash("file"))],
    ["tftp -g -r missing -l /f 10.0.2.2", /File not found/],
    ["tftp -p -l /init -r init 10.0.2.2", /Nothing can be written here/],
  ],
  more: [
    ["wget -q -O /b http://10.0.2.2/big; sha256sum /b", new RegExp(BIG_HASH)],
    ["head -c 20000000 /b > /p; wget -q -c -O /p http://10.0.2.2/big; sha256sum /p", new RegExp(BIG_HASH)],
    ["tftp -b 1468 -g -r big -l /t 10.0.2.2; sha256sum /t", new RegExp(BIG_HASH)],
    [
      "for i in 1 2 3; do wget -q -O /b$i http://10.0.2.2/big & done; wait; cat /b? | sha256sum",
      new RegExp(createHash("sha256").update(BIG).update(BIG).update(BIG).digest("hex")),
    ],
  ],
};

/** EDK2 loads the kernel, which is an EFI program; PXE does not find a name that HTTP decodes. */
function edk2(name: string, bootFile: string, console: RegExp): Scenario {
  return {
    name,
    fixture: undefined,
    isQuick: false,
    bootFile,
    files: () => [{ path: "Image.efi", contents: Deno.readFileSync(fileOf("linux-cloud", "Image")) }],
    options: () => ["-drive", `if=pflash,format=raw,readonly=on,file=${fileOf("edk2", "AAVMF_CODE.fd")}`],
    card: "virtio-net-pci,netdev=n,bootindex=1,romfile=",
    opening: [[console, ""], [/EFI stub: Booting Linux Kernel/, ""]],
    prompt: /(?:)/,
    steps: [],
    more: [],
  };
}

const SCENARIOS: readonly Scenario[] = [
  U_BOOT,
  LINUX,
  edk2("EDK2 by PXE", "Image.efi", /NBP file downloaded successfully/),
  edk2("EDK2 by HTTP", "Image%2eefi", /Start HTTP Boot over IPv4/),
];

/** Runs a scenario; throws for the first answer that is not as it should be. */
async function run(scenario: Scenario, folder: string, isRecording: boolean): Promise<number> {
  const { name, fixture, bootFile, files = () => [], options, card, opening, prompt, steps, more } = scenario;
  const path = `${folder}/${name.replaceAll(" ", "-")}`;
  const cable = new Cable(path, { files: [...SERVED, { path: "big", contents: BIG }, ...files()], bootFile });
  const serving = cable.serve();
  const netdev = `stream,id=n,server=off,addr.type=unix,addr.path=${path}`;
  const guest = new GuestConsole([...MACHINE, ...options(), "-netdev", netdev, "-device", card]);
  try {
    for (const [text, typed] of opening) {
      await guest.expect(text);
      if (typed !== "") await guest.send(typed);
    }
    await guest.expect(prompt);
    for (const [index, [command, answer]] of [...steps, ...more].entries()) {
      if (index === steps.length && fixture !== undefined && isRecording) {
        await Deno.writeTextFile(conversationPath(fixture), printConversation(cable.frames));
      }
      await guest.send(`${command}\r`);
      const text = await guest.expect(prompt);
      if (!answer.test(text)) throw new Error(`${name}: "${command}" printed ${JSON.stringify(text)}`);
    }
  } finally {
    await guest.end();
    await serving;
  }
  return cable.frames.length;
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const scenario of SCENARIOS.filter(({ isQuick }) => isQuick || !Deno.args.includes("--quick"))) {
      const frames = await run(scenario, folder, Deno.args.includes("--record"));
      console.log(`${scenario.name}: agreed, ${frames} frames`);
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    console.log(error.message);
    Deno.exit(1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
