/** Who is at the other end of the cable: QEMU's user network, by the same addresses. */

/** The peer itself: router, DHCP, TFTP and HTTP server, 10.0.2.2. */
export const GATEWAY = 0x0a00_0202;

/** The peer as name server, 10.0.2.3. */
export const NAME_SERVER = 0x0a00_0203;

/** The first address that DHCP gives, 10.0.2.15. */
export const FIRST_GUEST = 0x0a00_020f;

/** 255.255.255.0. */
export const SUBNET_MASK = 0xffff_ff00;

/** 10.0.2.255. */
export const SUBNET_BROADCAST = 0x0a00_02ff;

/** 255.255.255.255. */
export const LIMITED_BROADCAST = 0xffff_ffff;

/** The Ethernet address of all stations. */
export const ALL_STATIONS = 0xffff_ffff_ffff;

/** The group bit of an Ethernet address, which no station's own address has. */
const GROUP_BIT = 0x0100_0000_0000;

/** Whether this is an address that the peer answers for. */
export function isOurs(address: number): boolean {
  return address === GATEWAY || address === NAME_SERVER;
}

/** Whether an IPv4 address names one host: not multicast, broadcast, reserved, nor 0.0.0.0/8. */
export function isUnicast(address: number): boolean {
  return address >= 0x0100_0000 && address < 0xe000_0000 && address !== SUBNET_BROADCAST;
}

/** The Ethernet address of one of our own addresses: 52:55 and the address, as in QEMU. */
export function stationOf(address: number): number {
  return 0x5255_0000_0000 + address;
}

/** Whether an Ethernet address is that of one station. */
export function isStation(address: number): boolean {
  return Math.floor(address / GROUP_BIT) % 2 === 0 && address !== 0;
}

/** An address as people write it. */
export function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}
