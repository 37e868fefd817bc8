// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One side of a program's books: who runs it, whether it is paused, and three totals over its whole life.
///
///      255     192 191     128 127      64 63   34    33       32    31        0
///     +-----------+-----------+-----------+-------+--------+-------+----------+
///     |  lane 2   |  lane 1   |  lane 0   |   0   | paused | known | merchant |
///     +-----------+-----------+-----------+-------+--------+-------+----------+
///
///     side        lane 0       lane 1        lane 2
///     minted      restored     exchangedIn   all, issued or not
///     burnt       redeemed     spent         exchangedOut
///     voided      expired      revoked       -
///
/// Merchant and flag are on the minted and on the burnt side, so that a movement reads one word and writes that word back.
type ProgramSide is uint256;

using ProgramSideLib for ProgramSide global;

/// @dev Lanes cannot overflow: the top lane of the minted side is checked (`canMint`), and nothing is burnt or voided that was
/// not minted.
library ProgramSideLib {
    uint256 internal constant RESTORED = 64;
    uint256 internal constant EXCHANGED_IN = 128;
    uint256 internal constant MINTED = 192;

    uint256 internal constant REDEEMED = 64;
    uint256 internal constant SPENT = 128;
    uint256 internal constant EXCHANGED_OUT = 192;

    uint256 internal constant EXPIRED = 64;
    uint256 internal constant REVOKED = 128;

    uint256 private constant KNOWN = 1 << 32;
    uint256 private constant PAUSED = 1 << 33;

    function pack(uint256 merchant_) internal pure returns (ProgramSide) {
        return ProgramSide.wrap(merchant_ | KNOWN);
    }

    function merchant(ProgramSide side) internal pure returns (uint256) {
        return ProgramSide.unwrap(side) & type(uint32).max;
    }

    /// @notice Whether the program exists, is `merchant_`'s, and is not paused.
    function isOpenTo(ProgramSide side, uint256 merchant_) internal pure returns (bool) {
        return ProgramSide.unwrap(side) & type(uint64).max == KNOWN | merchant_;
    }

    /// @notice Whether the program exists and is `merchant_`'s.
    function isRunBy(ProgramSide side, uint256 merchant_) internal pure returns (bool) {
        return ProgramSide.unwrap(side) & (KNOWN | type(uint32).max) == KNOWN | merchant_;
    }

    function paused(ProgramSide side) internal pure returns (bool) {
        return ProgramSide.unwrap(side) & PAUSED != 0;
    }

    /// @notice The total in `lane`, given as its position.
    function total(ProgramSide side, uint256 lane) internal pure returns (uint256) {
        return ProgramSide.unwrap(side) >> lane & type(uint64).max;
    }

    /// @notice Whether a minted side can take `points` more: a program mints less than 2^64 points in its whole life.
    function canMint(ProgramSide side, uint256 points) internal pure returns (bool) {
        unchecked {
            return (ProgramSide.unwrap(side) >> MINTED) + points <= type(uint64).max;
        }
    }

    function eitherPaused(ProgramSide a, ProgramSide b) internal pure returns (bool) {
        return (ProgramSide.unwrap(a) | ProgramSide.unwrap(b)) & PAUSED != 0;
    }

    /// @notice The side with `points` more in `lane`.
    function plus(ProgramSide side, uint256 lane, uint256 points) internal pure returns (ProgramSide) {
        unchecked {
            return ProgramSide.wrap(ProgramSide.unwrap(side) + (points << lane));
        }
    }

    /// @notice The minted side with `points` more in `lane` and in all.
    function plusMinted(ProgramSide side, uint256 lane, uint256 points) internal pure returns (ProgramSide) {
        return side.plus(lane, points).plus(MINTED, points);
    }

    function withPaused(ProgramSide side, bool paused_) internal pure returns (ProgramSide) {
        uint256 others = ProgramSide.unwrap(side) & ~PAUSED;
        return ProgramSide.wrap(paused_ ? others | PAUSED : others);
    }
}
