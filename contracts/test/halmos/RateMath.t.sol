// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RateMath} from "../../libraries/RateMath.sol";

/// @notice Proofs by halmos for all inputs, at the full widths that the contract uses: points, amounts and prices of 64 bits, rates
/// of 32 bits over 32 bits. An assertion that was proved is a lemma for those after it.
contract RateMathProof {
    /// @dev Never more than was given: what the rate leaves over stays with the member.
    function check_burntIsNeverMoreThanGiven(uint64 points, uint32 num, uint32 den) external pure {
        if (num == 0 || den == 0) return;

        uint256 out = RateMath.targetPointsDown(points, num, den);

        assert(RateMath.sourcePointsUp(out, num, den) <= points);
    }

    /// @dev What is burnt is worth what is minted: at the exact rate it would buy no less.
    function check_burntCoversMinted(uint64 points, uint32 num, uint32 den) external pure {
        if (num == 0 || den == 0) return;

        uint256 out = RateMath.targetPointsDown(points, num, den);
        uint256 burnt = RateMath.sourcePointsUp(out, num, den);

        assert(out * den <= uint256(points) * num);
        assert(burnt <= points);
        assert(burnt * num >= out * den);
    }

    /// @dev There and back at the inverse rate: never more than was burnt.
    function check_roundTripNeverCreatesPoints(uint64 points, uint32 num, uint32 den) external pure {
        if (num == 0 || den == 0) return;

        uint256 out = RateMath.targetPointsDown(points, num, den);
        uint256 burnt = RateMath.sourcePointsUp(out, num, den);
        uint256 back = RateMath.targetPointsDown(out, den, num);

        assert(out * den <= uint256(points) * num);
        assert(burnt <= points);
        assert(burnt * num >= out * den);
        assert(back * num <= out * den);
        assert(back <= burnt);
    }

    /// @dev There and back at any rate that is not better than the inverse: never more than was given.
    function check_worseRatesBackCreateNoPointsEither(uint64 points, uint32 num, uint32 den, uint32 back, uint32 per)
        external
        pure
    {
        if (num == 0 || den == 0 || per == 0 || uint256(num) * back > uint256(den) * per) return;

        uint256 out = RateMath.targetPointsDown(points, num, den);
        uint256 returned = RateMath.targetPointsDown(out, back, per);

        assert(out * den <= uint256(points) * num);
        assert(returned * per <= out * back);
        assert(returned * per * den <= out * back * den);
        assert(out * den * back <= uint256(points) * num * back);
        assert(uint256(points) * (uint256(num) * back) <= uint256(points) * (uint256(den) * per));
        assert(returned <= points);
    }

    /// @dev The fee is at most the amount, and 0 only for nothing.
    function check_feeIsAPartOfTheAmount(uint64 amount, uint16 bps) external pure {
        if (bps > RateMath.BPS) return;

        uint256 fee = RateMath.feeUp(amount, bps);

        assert(fee <= amount);
        assert((fee == 0) == (amount == 0 || bps == 0));
    }

    /// @dev The share of a reversal is never more than the whole, and all of the whole at the end.
    function check_sharesNeverExceedTheWhole(uint64 whole, uint64 part, uint64 total) external pure {
        if (total == 0 || part > total) return;

        assert(RateMath.shareUp(whole, part, total) <= whole);
    }

    function check_sharesEndWithTheWhole(uint64 whole, uint64 total) external pure {
        if (total == 0) return;

        assert(RateMath.shareUp(whole, total, total) == whole);
    }

    /// @dev A later share is not smaller, so no partial reversal gives a negative number of points.
    function check_sharesGrow(uint64 whole, uint64 before, uint64 part, uint64 total) external pure {
        if (total == 0) return;

        uint256 first = RateMath.shareUp(whole, before, total);
        uint256 second = RateMath.shareUp(whole, uint256(before) + part, total);

        assert(uint256(whole) * before <= uint256(whole) * (uint256(before) + part));
        assert(first * total <= uint256(whole) * before + total - 1);
        assert(first <= second);
    }
}
