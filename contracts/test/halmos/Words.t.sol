// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Account} from "../../libraries/Account.sol";
import {Route} from "../../libraries/AgreementWords.sol";
import {BalancePage} from "../../libraries/BalancePage.sol";
import {ProgramSide} from "../../libraries/ProgramSide.sol";

/// @notice Proofs by halmos for all words: writing one value of a packed word leaves every other value as it was.
contract WordsProof {
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
        uint256 place = 64 + 64 * uint256(lane);
        if (lane > 2 || other > 2 || side.total(place) + points > type(uint64).max) return;
        uint256 otherPlace = 64 + 64 * uint256(other);

        ProgramSide grown = side.plus(place, points);

        assert(grown.total(place) == side.total(place) + points);
        assert(lane == other || grown.total(otherPlace) == side.total(otherPlace));
        assert(grown.merchant() == side.merchant() && grown.paused() == side.paused());
    }

    function check_useOfADayLeavesTheTerms(uint256 word, uint16 day, uint64 points) external pure {
        Route route = Route.wrap(word);

        Route used = route.withUse(day, points);

        assert(used.usedOn(day) == points);
        assert(used.validFrom() == route.validFrom() && used.validUntil() == route.validUntil());
        assert(used.source() == route.source() && used.target() == route.target());
        assert(used.kind() == route.kind() && used.initiators() == route.initiators());
        assert(used.feeBps() == route.feeBps() && used.lifetimeDays() == route.lifetimeDays());
    }

    function check_aPaymentChangesOnlyThePosition(uint256 word, uint64 settled, uint64 fee) external pure {
        Account account = Account.wrap(word);
        bool inRange = account.position() >= -2 ** 63 && account.position() < 2 ** 94;
        if (!inRange) return;
        uint256 micros = uint256(settled) + fee;

        Account richer = account.plus(micros);
        Account poorer = account.minus(micros);

        assert(richer.position() == account.position() + int256(micros));
        assert(poorer.position() == account.position() - int256(micros));
        assert(richer.creditLimit() == account.creditLimit() && poorer.creditLimit() == account.creditLimit());
        assert(uint8(Account.unwrap(richer)) == uint8(word) && uint8(Account.unwrap(poorer)) == uint8(word));
    }

    /// @dev `covers` says exactly that the position stays at or above minus the credit limit.
    function check_coversMeansWithinTheLimit(uint256 word, uint64 settled, uint64 fee) external pure {
        Account account = Account.wrap(word);
        bool inRange = account.position() >= -2 ** 63 && account.position() < 2 ** 94;
        if (!inRange) return;
        uint256 micros = uint256(settled) + fee;

        bool within = account.minus(micros).position() >= -int256(account.creditLimit());

        assert(account.covers(micros) == within);
    }
}
