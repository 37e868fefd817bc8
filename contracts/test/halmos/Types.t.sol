// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementRoute} from "../../types/AgreementRoute.sol";
import {BalancePage} from "../../types/BalancePage.sol";
import {MerchantPosition} from "../../types/MerchantPosition.sol";
import {NewestBatch} from "../../types/NewestBatch.sol";
import {ProgramSide} from "../../types/ProgramSide.sol";

/// @notice halmos proves for all words that writing one field of a packed word leaves every other field as it was.
contract TypesProof {
    function check_creditTouchesOneLane(uint256 word, uint24 program, uint24 other, uint64 points) external pure {
        BalancePage page = BalancePage.wrap(word);
        if (program == 0 || other == 0 || page.balance(program) + points > type(uint64).max) return;

        BalancePage credited = page.credit(program, points);

        assert(credited.balance(program) == page.balance(program) + points);
        bool sameLane = (program - 1) % 4 == (other - 1) % 4;
        assert(sameLane || credited.balance(other) == page.balance(other));
    }

    function check_debitTouchesOneLane(uint256 word, uint24 program, uint24 other, uint64 points) external pure {
        BalancePage page = BalancePage.wrap(word);
        if (program == 0 || other == 0 || page.balance(program) < points) return;

        BalancePage debited = page.debit(program, points);

        assert(debited.balance(program) == page.balance(program) - points);
        bool sameLane = (program - 1) % 4 == (other - 1) % 4;
        assert(sameLane || debited.balance(other) == page.balance(other));
    }

    function check_totalsGrowOneByOne(uint256 word, uint8 lane, uint8 other, uint64 points) external pure {
        ProgramSide side = ProgramSide.wrap(word);
        uint256 lowestBit = 64 + 64 * uint256(lane);
        if (lane > 2 || other > 2 || side.total(lowestBit) + points > type(uint64).max) return;
        uint256 othersLowestBit = 64 + 64 * uint256(other);

        ProgramSide grown = side.plus(lowestBit, points);

        assert(grown.total(lowestBit) == side.total(lowestBit) + points);
        assert(lane == other || grown.total(othersLowestBit) == side.total(othersLowestBit));
        assert(grown.merchant() == side.merchant() && grown.paused() == side.paused());
    }

    function check_useOfADayLeavesTheTerms(uint256 word, uint16 day, uint64 points) external pure {
        AgreementRoute route = AgreementRoute.wrap(word);

        AgreementRoute used = route.withUse(day, points);

        assert(used.usedOn(day) == points);
        assert(used.validFrom() == route.validFrom() && used.validUntil() == route.validUntil());
        assert(used.source() == route.source() && used.target() == route.target());
        assert(used.kind() == route.kind() && used.initiators() == route.initiators());
        assert(used.feeBps() == route.feeBps() && used.lifetimeDays() == route.lifetimeDays());
    }

    /// @dev Points that came back shrink the use of the day, and nothing else.
    function check_lessUseLeavesTheRest(uint256 word, uint16 day, uint64 points) external pure {
        AgreementRoute route = AgreementRoute.wrap(word);
        if (route.usedOn(day) < points) return;

        AgreementRoute freed = route.withLessUse(points);

        assert(freed.usedOn(day) == route.usedOn(day) - points);
        assert(uint192(AgreementRoute.unwrap(freed)) == uint192(word));
    }

    /// @dev A batch is of today exactly if it is not before the first batch of today, and today has one.
    function check_daysBeginWithTheirFirstBatch(uint112 word, uint32 today, uint40 batch) external pure {
        NewestBatch newest = NewestBatch.wrap(word);
        if (newest.number() == type(uint40).max || newest.firstOfDay() > newest.number()) return;

        NewestBatch next = newest.next(today);

        assert(next.number() == newest.number() + 1);
        assert(next.isOfToday(next.number(), today));
        bool before = batch <= newest.number();
        assert(!before || next.isOfToday(batch, today) == newest.isOfToday(batch, today));
    }

    function check_aPaymentChangesOnlyThePosition(uint256 word, uint64 settled, uint64 fee) external pure {
        MerchantPosition position = MerchantPosition.wrap(word);
        bool inRange = position.micros() >= -2 ** 63 && position.micros() < 2 ** 94;
        if (!inRange) return;
        uint256 amountMicros = uint256(settled) + fee;

        MerchantPosition richer = position.plus(amountMicros);
        MerchantPosition poorer = position.minus(amountMicros);

        assert(richer.micros() == position.micros() + int256(amountMicros));
        assert(poorer.micros() == position.micros() - int256(amountMicros));
        assert(richer.creditLimitMicros() == position.creditLimitMicros());
        assert(poorer.creditLimitMicros() == position.creditLimitMicros());
        assert(uint8(MerchantPosition.unwrap(richer)) == uint8(word));
        assert(uint8(MerchantPosition.unwrap(poorer)) == uint8(word));
    }

    /// @dev `covers` means exactly that the position stays at or above minus the credit limit.
    function check_coversMeansWithinTheLimit(uint256 word, uint64 settled, uint64 fee) external pure {
        MerchantPosition position = MerchantPosition.wrap(word);
        bool inRange = position.micros() >= -2 ** 63 && position.micros() < 2 ** 94;
        if (!inRange) return;
        uint256 amountMicros = uint256(settled) + fee;

        bool within = position.minus(amountMicros).micros() >= -int256(position.creditLimitMicros());

        assert(position.covers(amountMicros) == within);
    }
}
