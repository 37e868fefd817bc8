// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice How much an entry moved. `points` left the program (or entered it, for an issue), `out` entered the target program.
/// `settled` and `fee` are micros. The fee is the operator's; of a reversal, it is what the giver pays back to the source merchant.
///
///      255     192 191     128 127      64 63        0
///     +-----------+-----------+-----------+-----------+
///     |  points   |    out    |  settled  |    fee    |
///     +-----------+-----------+-----------+-----------+
type EntryAmounts is uint256;

using EntryAmountsLib for EntryAmounts global;

library EntryAmountsLib {
    function pack(uint256 points_, uint256 out_, uint256 settled_, uint256 fee_) internal pure returns (EntryAmounts) {
        return EntryAmounts.wrap(points_ << 192 | out_ << 128 | settled_ << 64 | fee_);
    }

    /// @notice The amounts with a fee, if they have none yet.
    function withFee(EntryAmounts amounts, uint256 fee_) internal pure returns (EntryAmounts) {
        return EntryAmounts.wrap(EntryAmounts.unwrap(amounts) | fee_);
    }

    function points(EntryAmounts amounts) internal pure returns (uint256) {
        return EntryAmounts.unwrap(amounts) >> 192;
    }

    function out(EntryAmounts amounts) internal pure returns (uint256) {
        return EntryAmounts.unwrap(amounts) >> 128 & type(uint64).max;
    }

    function settled(EntryAmounts amounts) internal pure returns (uint256) {
        return EntryAmounts.unwrap(amounts) >> 64 & type(uint64).max;
    }

    function fee(EntryAmounts amounts) internal pure returns (uint256) {
        return EntryAmounts.unwrap(amounts) & type(uint64).max;
    }
}
