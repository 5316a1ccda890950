/** What an operator can ask of unified-backdoor: `monitor el2 unified-backdoor …` in a script, or after Ctrl-A c. */
import { InputRefusedError } from "../../../machine/errors.ts";
import { type Channels, WAITING_MAX } from "./channels.ts";
import { type GuestInfo, PREFIX } from "./guest_info.ts";

const USAGE = "use checkpoint, guestinfo NAME=VALUE, or call TEXT";

function refused(why: string): InputRefusedError {
  return new InputRefusedError(`Cannot do that: ${why}`);
}

const encoder = new TextEncoder();

function setVariable(text: string, info: GuestInfo): () => void {
  const equals = text.indexOf("="), name = text.slice(0, Math.max(equals, 0)), value = text.slice(equals + 1);
  if (equals < 0) throw refused(`"${text}" is not NAME=VALUE; ${USAGE}`);
  const short = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name, bytes = encoder.encode(value);
  const problem = info.problem(short, bytes);
  if (problem !== undefined) throw refused(problem);
  return () => info.set(short, bytes);
}

/** A call to whichever programs of the guest listen. */
function callGuest(text: string, channels: Channels): () => void {
  const message = encoder.encode(text);
  const listening = channels.open.filter(({ protocol }) => protocol === "TCLO");
  if (listening.length === 0) throw refused("no program of the guest listens for calls");
  if (listening.some(({ waiting }) => waiting.length >= WAITING_MAX)) {
    throw refused(`${WAITING_MAX} calls wait already`);
  }
  return () => {
    for (const channel of listening) channels.post(channel, message);
  };
}

/** Reads a command; throws InputRefusedError for what is none, or cannot be done, with nothing changed. */
export function commandOf(
  [name = "", ...words]: readonly string[],
  { channels, info }: { readonly channels: Channels; readonly info: GuestInfo },
): () => void {
  const text = words.join(" ");
  if (name === "checkpoint") {
    if (words.length > 0) throw refused(`checkpoint takes no words; ${USAGE}`);
    return () => channels.checkpoint();
  }
  if (name === "guestinfo") return setVariable(text, info);
  if (name === "call") {
    if (text === "") throw refused(`call takes a text; ${USAGE}`);
    return callGuest(text, channels);
  }
  throw refused(`there is no command "${name}"; ${USAGE}`);
}
