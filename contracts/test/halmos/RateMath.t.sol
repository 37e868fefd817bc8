// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RateMath} from "../../libraries/RateMath.sol";

/// @notice halmos proves these properties for all inputs at the full widths of the contract: points, amounts and prices have 64
/// bits, numerators and denominators of rates 32. An assertion, once proved, is a lemma for those that follow it.
contract RateMathProof {
    /// @dev An exchange burns at most what was given; what the rate leaves over stays with the member.
    function check_burntIsNeverMoreThanGiven(uint64 points, uint32 rateNum, uint32 rateDen) external pure {
        if (rateNum == 0 || rateDen == 0) return;

        uint256 out = RateMath.targetPointsDown(points, rateNum, rateDen);

        assert(RateMath.sourcePointsUp(out, rateNum, rateDen) <= points);
    }

    /// @dev What is burnt covers what is minted: at the exact rate it would buy no less.
    function check_burntCoversMinted(uint64 points, uint32 rateNum, uint32 rateDen) external pure {
        if (rateNum == 0 || rateDen == 0) return;

        uint256 out = RateMath.targetPointsDown(points, rateNum, rateDen);
        uint256 burnt = RateMath.sourcePointsUp(out, rateNum, rateDen);

        assert(out * rateDen <= uint256(points) * rateNum);
        assert(burnt <= points);
        assert(burnt * rateNum >= out * rateDen);
    }

    /// @dev An exchange there and back at the inverse rate returns at most what was burnt.
    function check_roundTripNeverCreatesPoints(uint64 points, uint32 rateNum, uint32 rateDen) external pure {
        if (rateNum == 0 || rateDen == 0) return;

        uint256 out = RateMath.targetPointsDown(points, rateNum, rateDen);
        uint256 burnt = RateMath.sourcePointsUp(out, rateNum, rateDen);
        uint256 back = RateMath.targetPointsDown(out, rateDen, rateNum);

        assert(out * rateDen <= uint256(points) * rateNum);
        assert(burnt <= points);
        assert(burnt * rateNum >= out * rateDen);
        assert(back * rateNum <= out * rateDen);
        assert(back <= burnt);
    }

    /// @dev An exchange there and back at any rate no better than the inverse returns at most what was given.
    function check_worseRatesBackCreateNoPointsEither(
        uint64 points,
        uint32 rateNum,
        uint32 rateDen,
        uint32 backNum,
        uint32 backDen
    ) external pure {
        if (rateNum == 0 || rateDen == 0 || backDen == 0 || uint256(rateNum) * backNum > uint256(rateDen) * backDen) return;

        uint256 out = RateMath.targetPointsDown(points, rateNum, rateDen);
        uint256 returned = RateMath.targetPointsDown(out, backNum, backDen);

        assert(out * rateDen <= uint256(points) * rateNum);
        assert(returned * backDen <= out * backNum);
        assert(returned * backDen * rateDen <= out * backNum * rateDen);
        assert(out * rateDen * backNum <= uint256(points) * rateNum * backNum);
        assert(uint256(points) * (uint256(rateNum) * backNum) <= uint256(points) * (uint256(rateDen) * backDen));
        assert(returned <= points);
    }

    /// @dev The fee is at most the amount. It is 0 only if the amount or the rate is 0.
    function check_feeIsAPartOfTheAmount(uint64 amount, uint16 feeBps) external pure {
        if (feeBps > RateMath.BPS) return;

        uint256 fee = RateMath.feeUp(amount, feeBps);

        assert(fee <= amount);
        assert((fee == 0) == (amount == 0 || feeBps == 0));
    }

    /// @dev The share of a reversal is at most the whole, and at the end it is all of it.
    function check_sharesNeverExceedTheWhole(uint64 whole, uint64 part, uint64 total) external pure {
        if (total == 0 || part > total) return;

        assert(RateMath.shareUp(whole, part, total) <= whole);
    }

    function check_sharesEndWithTheWhole(uint64 whole, uint64 total) external pure {
        if (total == 0) return;

        assert(RateMath.shareUp(whole, total, total) == whole);
    }

    /// @dev A later share is never smaller, so no partial reversal has a negative number of points.
    function check_sharesGrow(uint64 whole, uint64 before, uint64 part, uint64 total) external pure {
        if (total == 0) return;

        uint256 first = RateMath.shareUp(whole, before, total);
        uint256 second = RateMath.shareUp(whole, uint256(before) + part, total);

        assert(uint256(whole) * before <= uint256(whole) * (uint256(before) + part));
        assert(first * total <= uint256(whole) * before + total - 1);
        assert(first <= second);
    }
}
