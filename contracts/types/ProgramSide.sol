// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One side of a program: its merchant, whether it is paused, and three totals over its whole life.
///
///      255     192 191     128 127      64 63   35    34       33       32    31        0
///     +-----------+-----------+-----------+-------+--------+--------+-------+----------+
///     |  lane 2   |  lane 1   |  lane 0   |   0   | capped | paused | known | merchant |
///     +-----------+-----------+-----------+-------+--------+--------+-------+----------+
///
///     side        lane 0       lane 1        lane 2
///     minted      restored     exchangedIn   all points ever minted
///     burnt       redeemed     spent         exchangedOut
///     voided      expired      revoked       -
///
/// The minted and the burnt side both carry the merchant and the flags, so that a movement reads and writes one word. The
/// voided side carries its totals only. `capped`, on the minted side alone, says that the program has an `IssuanceCap`: without
/// one, an issue does not look for it.
type ProgramSide is uint256;

using ProgramSideLib for ProgramSide global;

/// @dev No lane can overflow. `canMint` bounds the top lane of the minted side, and only points that were minted can be burnt
/// or voided.
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
    uint256 private constant CAPPED = 1 << 34;

    /// @notice A side of a new program, with nothing in its lanes.
    function pack(uint256 merchant_) internal pure returns (ProgramSide) {
        return ProgramSide.wrap(merchant_ | KNOWN);
    }

    function merchant(ProgramSide side) internal pure returns (uint256) {
        return ProgramSide.unwrap(side) & type(uint32).max;
    }

    /// @notice Whether the program exists, belongs to `merchant_` and is not paused.
    function isOpenTo(ProgramSide side, uint256 merchant_) internal pure returns (bool) {
        return ProgramSide.unwrap(side) & (type(uint64).max ^ CAPPED) == KNOWN | merchant_;
    }

    /// @notice Whether the program exists and belongs to `merchant_`.
    function isRunBy(ProgramSide side, uint256 merchant_) internal pure returns (bool) {
        return ProgramSide.unwrap(side) & (KNOWN | type(uint32).max) == KNOWN | merchant_;
    }

    function paused(ProgramSide side) internal pure returns (bool) {
        return ProgramSide.unwrap(side) & PAUSED != 0;
    }

    function capped(ProgramSide side) internal pure returns (bool) {
        return ProgramSide.unwrap(side) & CAPPED != 0;
    }

    /// @notice The total in `lane`. A lane is named by its lowest bit, as in the constants above.
    function total(ProgramSide side, uint256 lane) internal pure returns (uint256) {
        return ProgramSide.unwrap(side) >> lane & type(uint64).max;
    }

    /// @notice Whether this minted side has capacity for `points` more: a program mints less than 2^64 points in its life.
    function canMint(ProgramSide side, uint256 points) internal pure returns (bool) {
        unchecked {
            return (ProgramSide.unwrap(side) >> MINTED) + points <= type(uint64).max;
        }
    }

    function eitherPaused(ProgramSide side, ProgramSide otherSide) internal pure returns (bool) {
        return (ProgramSide.unwrap(side) | ProgramSide.unwrap(otherSide)) & PAUSED != 0;
    }

    /// @notice The side with `points` added to the total in `lane`.
    function plus(ProgramSide side, uint256 lane, uint256 points) internal pure returns (ProgramSide) {
        unchecked {
            return ProgramSide.wrap(ProgramSide.unwrap(side) + (points << lane));
        }
    }

    /// @notice The minted side with `points` added to the total in `lane` and to all points ever minted.
    function plusMinted(ProgramSide side, uint256 lane, uint256 points) internal pure returns (ProgramSide) {
        return side.plus(lane, points).plus(MINTED, points);
    }

    function withPaused(ProgramSide side, bool paused_) internal pure returns (ProgramSide) {
        uint256 others = ProgramSide.unwrap(side) & ~PAUSED;
        return ProgramSide.wrap(paused_ ? others | PAUSED : others);
    }

    function withCapped(ProgramSide side, bool capped_) internal pure returns (ProgramSide) {
        uint256 others = ProgramSide.unwrap(side) & ~CAPPED;
        return ProgramSide.wrap(capped_ ? others | CAPPED : others);
    }
}
