// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {console} from "forge-std/console.sol";

import {
    AgreementKind,
    AgreementTerms,
    IClearingHouse,
    Kind,
    MerchantStatus,
    ProgramTotals,
    Reason
} from "../../interfaces/IClearingHouse.sol";
import {Entry, Evidence} from "../../libraries/Entries.sol";
import {Network} from "./Network.sol";

/// @notice Lets a network live at random: good and bad orders in batches, money, keys, statuses, pauses, time. It keeps its own books
/// from nothing but the events and what it asked for, and compares them with the contract's.
contract Handler is Network {
    struct Dice {
        uint256 seed;
    }

    uint32 private constant BAKERY = 5; // closed from the beginning
    uint32 private constant FULL = 7; // a program that has minted all it ever can
    uint32 private constant ALL_PROGRAMS = 7;
    uint32 private constant ALL_MERCHANTS = 6;

    string[8] private KINDS = ["", "issue", "redeem", "exchange", "spend", "transfer", "reverse", "expire"];
    string[30] private REASONS = [
        "",
        "UnknownSigner",
        "DeadlinePassed",
        "NonceUsed",
        "MerchantClosed",
        "AtomicFailed",
        "UnknownKind",
        "MerchantSuspended",
        "ZeroPoints",
        "ZeroMember",
        "NotProgramMerchant",
        "ProgramPaused",
        "InsufficientPoints",
        "SupplyOverflow",
        "AlreadyExpired",
        "WrongAgreement",
        "AgreementNotLive",
        "NotInitiator",
        "CounterpartyInactive",
        "OverInstructionCap",
        "OverDailyCap",
        "BelowMinimum",
        "AmountTooLarge",
        "InsufficientLiquidity",
        "BadRecipient",
        "UnknownEntry",
        "NotReversible",
        "NotGiver",
        "OverReversal",
        "EmptyOrder"
    ];

    /// @dev Accepted entries by kind, and refusals by reason.
    uint256[8] public accepted;
    uint256[30] public refused;
    uint256 public batches;
    uint256 public atomics;
    /// @dev Withdrawals for which there was not enough money in the bank.
    uint256 public unfunded;

    // The handler's own books.
    mapping(address member => mapping(uint32 program => uint256)) private _balance;
    mapping(uint32 program => ProgramTotals) private _totals;
    mapping(uint32 merchant => int256) private _positions;
    mapping(uint32 merchant => int256) private _limits;
    mapping(uint32 agreement => mapping(uint256 day => uint256)) private _used;
    mapping(uint32 merchant => mapping(uint48 nonce => bool)) private _consumed;
    mapping(bytes32 leaf => uint256) private _undone;
    int256 private _funds;
    bytes32[] private _leaves;
    AgreementTerms[] private _terms;
    uint256 private _keys;
    uint32 private _tight; // an agreement whose cap is soon used up
    uint32 private _suspended;
    uint32 private _paused;
    /// @dev What a point is worth such that no agreement gives more than it takes; in twelfths.
    uint256[8] private _worth = [0, 9, 10, 14, 1, 9, 6, 1];

    constructor() {
        _openNetwork();
        members.push(makeAddr("dan"));
        keyOf[BAKERY] = _key(BAKERY, 0);
        vm.prank(operator);
        house.registerMerchant(BAKERY, "Bakery", vm.addr(keyOf[BAKERY]), 0);
        _setStatus(BAKERY, MerchantStatus.Closed);
        _openProgram(SUPERMARKET, "FULL", "");
        _register(_exchangeTerms(FUEL, FULL, 1, 1, 0, 0, 3));
        _register(_acceptanceTerms(MART, CAR_WASH, type(uint64).max, 0, 3));
        AgreementTerms memory t = _exchangeTerms(CINE, FUEL, 1, 2, 1, 0, 3);
        t.validUntil = t.validFrom + 1;
        _register(t);
        t = _exchangeTerms(FUEL, CINE, 9, 10, 10_000, 10, 3);
        (t.maxPoints, t.dailyCap, t.document) = (30_000, 30_000, "tight");
        _tight = _register(t);
        t = _acceptanceTerms(VIDEO, OPERATOR, 5000, 10_000, 1);
        vm.prank(admin);
        house.recoverSigner(OPERATOR, vm.addr(_key(OPERATOR, 0)));
        keyOf[OPERATOR] = _key(OPERATOR, 0);
        _register(t);

        for (uint32 a = 1; a <= house.agreementCount(); ++a) {
            _terms.push(house.agreementOf(a));
        }
        for (uint32 m = GAS_STATION; m <= CAR_WASH; ++m) {
            (_positions[m], _limits[m]) = (int96(DEPOSIT), int96(CREDIT));
        }
        _funds = 4 * int96(DEPOSIT);
        // One to begin with, so that early random orders find something to move.
        for (uint256 i = 0; i < members.length; ++i) {
            _do(_order(GAS_STATION, _list(_issue(FUEL, members[i], 150_000), _issue(FLEET, members[i], 1000))));
            _do(_order(CINEMA, _list(_issue(CINE, members[i], 50_000), _issue(FILM, members[i], 1000))));
            _do(_order(SUPERMARKET, _list(_issue(MART, members[i], 150_000), _issue(VIDEO, members[i], 900))));
        }
        _do(_order(SUPERMARKET, _issue(FULL, ann, type(uint64).max)));
        vm.warp(START + 2);
    }

    function setUp() public pure override {}

    // ---------------------------------------------------------------- actions

    /// @notice A batch of one to four orders, of one to four instructions each; most of them good.
    function trade(uint256 seed) public {
        Dice memory dice = Dice(seed);
        Draft[] memory drafts = new Draft[](1 + _roll(dice, 4));
        for (uint256 i = 0; i < drafts.length; ++i) {
            drafts[i] = i != 0 && _one(dice, 12) ? drafts[i - 1] : _anyOrder(dice);
        }
        _do(drafts);
    }

    /// @notice There and back between two programs, whole or not at all: never a gain.
    function roundTrip(uint256 seed) public {
        Dice memory dice = Dice(seed);
        address member = _anyMember(dice);
        uint64 points = uint64(2 + _roll(dice, 2000));
        uint256 before = _balance[member][FUEL];
        uint256 cine = _balance[member][CINE];
        Line memory there = _exchange(FUEL_TO_CINE, FUEL, member, points);
        Line memory back = _exchange(CINE_TO_FUEL, CINE, member, points * 9 / 10);
        _do(_atomic(CINEMA, _list(there, back)));
        if (posted.length == 0) return;
        assertLe(house.balanceOf(member, FUEL), before, "there and back gains nothing");
        assertGe(house.balanceOf(member, CINE), cine, "and takes nothing that was there");
    }

    function depositMoney(uint32 merchant, uint96 micros) public {
        merchant = merchant % ALL_MERCHANTS;
        micros = uint96(_bound(micros, 1, 3000e6));
        _deposit(merchant, micros);
        _positions[merchant] += int96(micros);
        _funds += int96(micros);
    }

    /// @notice Often everything there is, so that liquidity runs out; sometimes more, which must fail.
    function withdrawMoney(uint32 merchant, uint96 micros) public {
        merchant = merchant % ALL_MERCHANTS;
        int256 position = _positions[merchant];
        if (position > 0 && micros % 4 != 0) micros = uint96(uint256(position));
        micros = uint96(_bound(micros, 1, 20_000e6));
        vm.prank(treasury);
        try house.withdraw(merchant, micros, bytes32(++bankRefs)) {
            assertLe(int96(micros), position, "credit was withdrawn");
            assertLe(int96(micros), _funds, "money was withdrawn that is not there");
            _positions[merchant] -= int96(micros);
            _funds -= int96(micros);
        } catch (bytes memory failure) {
            if (int96(micros) > position) {
                assertEq(
                    failure,
                    abi.encodeWithSelector(IClearingHouse.PositionTooLow.selector, merchant, int96(position), micros)
                );
                return;
            }
            assertGt(int96(micros), _funds, "own money was not paid out");
            bytes4 selector = IClearingHouse.FundsTooLow.selector;
            assertEq(failure, abi.encodeWithSelector(selector, uint96(uint256(_funds)), micros));
            ++unfunded;
        }
    }

    /// @notice Everybody asks for all that it has. The bank pays whom it can pay in full.
    function emptyTheBank() public {
        for (uint32 m = 0; m < ALL_MERCHANTS; ++m) {
            if (_positions[m] > 0) withdrawMoney(m, 1);
        }
    }

    function changeLimit(uint32 merchant, uint96 micros) public {
        merchant = merchant % 5;
        micros = micros % 3 == 0 ? 0 : uint96(_bound(micros, 0, 2000e6));
        vm.prank(operator);
        try house.setCreditLimit(merchant, micros) {
            assertGe(_positions[merchant], -int96(micros), "a limit below what is used");
            _limits[merchant] = int96(micros);
        } catch {
            assertLt(_positions[merchant], -int96(micros), "a limit was refused");
        }
    }

    /// @notice At most one merchant is suspended at a time, so that the others have something to do.
    function suspendOrResume(uint32 merchant) public {
        if (_suspended != 0) _setStatus(_suspended, MerchantStatus.Active);
        _suspended = _suspended != 0 ? 0 : GAS_STATION + merchant % 4;
        if (_suspended != 0) _setStatus(_suspended, MerchantStatus.Suspended);
    }

    /// @notice Likewise with programs.
    function pauseOrRestart(uint32 program) public {
        if (_paused != 0) _setPaused(_paused, false);
        _paused = _paused != 0 ? 0 : 1 + program % PROGRAMS;
        if (_paused != 0) _setPaused(_paused, true);
    }

    /// @notice While the network is paused no batch is executed, not even an empty one.
    function pauseTheNetworkForAMoment() public {
        vm.prank(pauser);
        house.pause();
        vm.prank(sequencer);
        try house.execute("", new Evidence[](0)) {
            assertTrue(false, "executed while paused");
        } catch (bytes memory failure) {
            assertEq(failure, abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        }
        vm.prank(pauser);
        house.unpause();
    }

    /// @notice A new key is added with the old one, which is then cut off.
    function rotateKey(uint32 merchant) public {
        merchant = GAS_STATION + merchant % 4;
        uint256 fresh = _key(merchant, ++_keys);
        _consumed[merchant][nextNonce[merchant]] = true;
        _changeSigner(merchant, fresh, 0, FOREVER, keyOf[merchant]);
        vm.prank(operator);
        house.revokeSigner(vm.addr(keyOf[merchant]), uint40(_now()));
        keyOf[merchant] = fresh;
    }

    /// @notice A new version of an exchange, a little worse than the last one.
    function renew(uint256 seed) public {
        if (_terms.length >= 20) return;
        uint32 old = seed % 2 == 0 ? FUEL_TO_FILM : MART_TO_CINE;
        AgreementTerms memory t = house.agreementOf(old);
        (t.supersedes, t.graceSeconds, t.document) = (old, uint32(seed >> 8) % 1 days, bytes32(_terms.length));
        (t.validFrom, t.validUntil) = (uint40(_now()), uint40(_now() + 300 days));
        (t.rateNum, t.rateDen) = (t.rateNum * 9, t.rateDen * 10);
        uint32 id = _register(t);
        _terms.push(t);
        uint256 day = (_now() + 8 hours) / 1 days;
        _used[id][day] = _used[old][day];
    }

    function waitFor(uint32 time) public {
        vm.warp(_now() + time % 20 hours);
    }

    // ---------------------------------------------------------------- random orders

    function _anyOrder(Dice memory dice) private returns (Draft memory d) {
        uint32 merchant = uint32(_roll(dice, 5));
        if (merchant == OPERATOR && !_one(dice, 4)) merchant = GAS_STATION;
        if (_one(dice, 25)) merchant = BAKERY;
        Line[] memory lines = new Line[](1 + _roll(dice, 4));
        for (uint256 i = 0; i < lines.length; ++i) {
            lines[i] = _anyLine(dice, merchant);
            if (_one(dice, 10)) _spoil(dice, lines[i]);
        }
        d = _order(merchant, lines);
        d.atomic = _one(dice, 4);
        if (_one(dice, 30)) d.key = _key(merchant, type(uint256).max);
        if (_one(dice, 40)) d.lines = new Line[](0);
        if (_one(dice, 30)) d.deadline = uint40(_now() - 1);
        if (_one(dice, 20) && d.nonce != 0) d.nonce = uint48(_roll(dice, d.nonce));
    }

    /// @dev One that `merchant` could send, as far as possible.
    function _anyLine(Dice memory dice, uint32 merchant) private view returns (Line memory l) {
        address member = _anyMember(dice);
        uint256 what = _roll(dice, 10);
        if (what >= 8) return _anyReversal(dice, merchant);
        if (what >= 4 || merchant == CAR_WASH || merchant == OPERATOR) return _anyConversion(dice, merchant, member);
        uint32 program = uint32(1 + _roll(dice, ALL_PROGRAMS));
        for (uint256 i = 0; i < 8 && _merchantOfProgram(program) != merchant; ++i) {
            program = uint32(1 + _roll(dice, ALL_PROGRAMS));
        }
        uint64 points = _anyPoints(dice, _balance[member][program]);
        if (what == 0) {
            l = _issue(program, member, uint64(1 + _roll(dice, 20_000)));
            if (_one(dice, 3)) l.expiryDay = house.today() - 1 + uint32(_roll(dice, 20));
        } else if (what == 1) {
            l = _redeem(program, member, points);
        } else if (what == 2) {
            l = _expire(program, member, points);
        } else {
            l = _transfer(program, member, _anyMember(dice), points);
        }
    }

    function _anyConversion(Dice memory dice, uint32 merchant, address member) private view returns (Line memory l) {
        uint32 id;
        for (uint256 i = 0; i < 12; ++i) {
            id = i == 0 && _one(dice, 5) ? _tight : uint32(1 + _roll(dice, _terms.length));
            AgreementTerms storage t = _terms[id - 1];
            bool may = (t.sourceMerchant == merchant && t.initiators & 1 != 0)
                || (t.targetMerchant == merchant && t.initiators & 2 != 0);
            if (may) break;
        }
        AgreementTerms storage terms = _terms[id - 1];
        uint256 has = _balance[member][terms.sourceProgram];
        uint64 points = _anyPoints(dice, has);
        if (_one(dice, 6)) points = uint64(90_000 + _roll(dice, 20_000));
        l = terms.kind == AgreementKind.Exchange
            ? _exchange(id, terms.sourceProgram, member, points)
            : _spend(id, terms.sourceProgram, member, points);
        if (_one(dice, 8)) l.minOut = points;
    }

    function _anyReversal(Dice memory dice, uint32 merchant) private view returns (Line memory l) {
        bytes32 leaf;
        for (uint256 i = 0; i < 8; ++i) {
            leaf = _leaves[_roll(dice, _leaves.length)];
            Entry storage e = entryOf[leaf];
            if (_kindOf(e) == Kind.Reverse ? _one(dice, 4) : _giverOf(e) == merchant) break;
        }
        Entry memory original = entryOf[leaf];
        uint256 left = _pointsOf(original) - _undone[leaf];
        uint64 points = left == 0 || _one(dice, 8) ? uint64(left + 1) : uint64(1 + _roll(dice, left));
        if (left != 0 && _one(dice, 2)) points = uint64(left);
        l = _reverse(original, points);
    }

    function _giverOf(Entry memory e) private view returns (uint32) {
        uint32 agreement = _agreementOf(e);
        return agreement == 0 ? _merchantOfProgram(_programOf(e)) : _terms[agreement - 1].targetMerchant;
    }

    function _spoil(Dice memory dice, Line memory l) private pure {
        uint256 how = _roll(dice, 9);
        if (how == 0) l.points = 0;
        else if (how == 1) l.points = type(uint64).max;
        else if (how == 2) l.member = address(0);
        else if (how == 3) l.kind = uint8(_roll(dice, 10));
        else if (how == 4) l.program = uint32(_roll(dice, 9));
        else if (how == 5) l.agreement = uint32(_roll(dice, 14));
        else if (how == 6) l.link = bytes32(dice.seed);
        else if (how == 7) l.link = 0;
        else l.minOut = type(uint64).max;
    }

    function _anyPoints(Dice memory dice, uint256 has) private pure returns (uint64) {
        if (has == 0 || _one(dice, 12)) return uint64(1 + _roll(dice, 2000));
        if (_one(dice, 20)) return uint64(Math.min(has + 1, type(uint64).max));
        return uint64(1 + _roll(dice, Math.min(has, 30_000)));
    }

    function _anyMember(Dice memory dice) private view returns (address) {
        return members[_roll(dice, members.length)];
    }

    function _roll(Dice memory dice, uint256 sides) private pure returns (uint256) {
        dice.seed = uint256(keccak256(abi.encode(dice.seed)));
        return dice.seed % sides;
    }

    function _one(Dice memory dice, uint256 times) private pure returns (bool) {
        return _roll(dice, times) == 0;
    }

    // ---------------------------------------------------------------- execution, and the handler's own books

    function _do(Draft memory d) private {
        _do(_list(d));
    }

    function _do(Draft[] memory drafts) private {
        _execute(drafts);
        ++batches;
        for (uint256 i = 0; i < posted.length; ++i) {
            Entry memory e = posted[i];
            ++accepted[uint256(_kindOf(e))];
            _leaves.push(_leaf(e));
            _book(e, _askedFor(drafts, e));
        }
        for (uint256 i = 0; i < refusals.length; ++i) {
            ++refused[uint256(refusals[i].reason)];
        }
        for (uint256 i = 0; i < drafts.length; ++i) {
            if (drafts[i].atomic) ++atomics;
            _consume(drafts, i);
        }
    }

    /// @dev Of all orders with this nonce that were ever sent, at most one was admitted.
    function _consume(Draft[] memory drafts, uint256 which) private {
        (uint32 merchant, uint48 nonce) = (drafts[which].merchant, drafts[which].nonce);
        uint256 sent;
        for (uint256 i = 0; i < drafts.length; ++i) {
            if (drafts[i].merchant != merchant || drafts[i].nonce != nonce) continue;
            if (i < which) return; // was looked at with the first of them
            ++sent;
        }
        for (uint256 i = 0; i < refusals.length; ++i) {
            Refusal memory r = refusals[i];
            bool turnedAway = r.item == WHOLE && r.reason != Reason.AtomicFailed;
            if (turnedAway && r.merchant == merchant && r.nonce == nonce) --sent;
        }
        assertLe(sent + (_consumed[merchant][nonce] ? 1 : 0), 1, "a nonce was consumed twice");
        if (sent == 1) _consumed[merchant][nonce] = true;
        assertEq(house.nonceUsed(merchant, nonce), _consumed[merchant][nonce], "nonce");
    }

    function _askedFor(Draft[] memory drafts, Entry memory e) private pure returns (Line memory) {
        for (uint256 i = 0; i < drafts.length; ++i) {
            if (drafts[i].merchant != _merchantOf(e) || drafts[i].nonce != _nonceOf(e)) continue;
            Line[] memory lines = drafts[i].lines;
            uint256 item = _itemOf(e);
            bool same = item < lines.length && lines[item].kind == uint8(_kindOf(e));
            if (same && lines[item].ref == e.ref && lines[item].link == e.link) return lines[item];
        }
        revert("an entry that nobody asked for");
    }

    /// @dev Books an accepted entry, and checks that it is what its instruction asked for.
    function _book(Entry memory e, Line memory asked) private {
        (Kind kind, uint32 program, uint64 points) = (_kindOf(e), _programOf(e), _pointsOf(e));
        ProgramTotals storage totals = _totals[program];
        assertEq(e.member, asked.member, "member");
        assertEq(program, asked.program, "program");
        if (kind != Kind.Exchange) assertEq(points, asked.points, "points");
        if (kind == Kind.Issue) {
            assertEq(_expiryDayOf(e), asked.expiryDay, "expiry day");
            totals.issued += points;
            _balance[e.member][program] += points;
        } else if (kind == Kind.Redeem) {
            totals.redeemed += points;
            _balance[e.member][program] -= points;
        } else if (kind == Kind.Expire) {
            totals.expired += points;
            _balance[e.member][program] -= points;
        } else if (kind == Kind.Transfer) {
            _balance[e.member][program] -= points;
            _balance[address(uint160(uint256(e.link)))][program] += points;
        } else if (kind == Kind.Reverse) {
            _bookReversal(e);
        } else {
            _bookConversion(e, asked);
        }
    }

    function _bookConversion(Entry memory e, Line memory asked) private {
        AgreementTerms storage t = _terms[asked.agreement - 1];
        (uint64 points, uint64 out, uint64 settled) = (_pointsOf(e), _outOf(e), _settledOf(e));
        assertEq(_agreementOf(e), asked.agreement, "agreement");
        assertEq(_feeOf(e), Math.mulDiv(settled, t.feeBps, 10_000, Math.Rounding.Ceil), "fee");
        if (t.kind == AgreementKind.Exchange) {
            assertEq(out, Math.mulDiv(asked.points, t.rateNum, t.rateDen), "out");
            assertEq(points, Math.mulDiv(out, t.rateDen, t.rateNum, Math.Rounding.Ceil), "points");
            assertEq(settled, uint256(out) * t.unitPriceMicros, "settled");
            assertGe(out, asked.minOut, "the member's minimum");
            assertLe(out * _worth[t.targetProgram], points * _worth[t.sourceProgram], "an exchange gained worth");
            _totals[t.sourceProgram].exchangedOut += points;
            _totals[t.targetProgram].exchangedIn += out;
            _balance[e.member][t.targetProgram] += out;
        } else {
            assertEq(settled, uint256(points) * t.unitPriceMicros, "settled");
            assertEq(out, 0, "a spend mints nothing");
            _totals[t.sourceProgram].spent += points;
        }
        _balance[e.member][t.sourceProgram] -= points;
        uint256 day = (_now() + 8 hours) / 1 days;
        _used[asked.agreement][day] += points;
        assertLe(_used[asked.agreement][day], t.dailyCap, "daily cap");
        _pay(t.sourceMerchant, t.targetMerchant, settled);
        _pay(t.sourceMerchant, OPERATOR, _feeOf(e));
    }

    function _bookReversal(Entry memory e) private {
        Entry memory original = entryOf[e.link];
        (uint32 program, uint64 points) = (_programOf(original), _pointsOf(e));
        (Kind kind, uint32 agreement) = (_kindOf(original), _agreementOf(original));
        _undone[e.link] += points;
        assertLe(_undone[e.link], _pointsOf(original), "reversed more than the original");
        assertEq(_agreementOf(e), agreement, "agreement");
        assertEq(_feeOf(e), 0, "the fee stays");
        assertEq(_merchantOf(e), _giverOf(original), "giver");
        if (kind == Kind.Issue) {
            _totals[program].revoked += points;
            _balance[e.member][program] -= points;
        } else if (kind == Kind.Transfer) {
            _balance[address(uint160(uint256(original.link)))][program] -= points;
            _balance[e.member][program] += points;
        } else {
            _totals[program].restored += points;
            _balance[e.member][program] += points;
        }
        if (agreement == 0) return;
        AgreementTerms storage t = _terms[agreement - 1];
        if (kind == Kind.Exchange) {
            _totals[t.targetProgram].revoked += _outOf(e);
            _balance[e.member][t.targetProgram] -= _outOf(e);
        }
        assertEq(_settledOf(e), (kind == Kind.Exchange ? _outOf(e) : uint256(points)) * t.unitPriceMicros, "settled");
        _pay(t.targetMerchant, t.sourceMerchant, _settledOf(e));
    }

    function _pay(uint32 payer, uint32 payee, uint64 micros) private {
        _positions[payer] -= int256(uint256(micros));
        _positions[payee] += int256(uint256(micros));
        assertGe(_positions[payer], -_limits[payer], "below the credit limit in the midst of a batch");
    }

    // ---------------------------------------------------------------- the invariants of DESIGN 4

    function checkProgramsAddUp() external view {
        for (uint32 p = 1; p <= ALL_PROGRAMS; ++p) {
            ProgramTotals memory t = house.totalsOf(p);
            uint256 sum;
            for (uint256 m = 0; m < members.length; ++m) {
                uint256 balance = house.balanceOf(members[m], p);
                assertEq(balance, _balance[members[m]][p], "balance");
                sum += balance;
            }
            uint256 entered = uint256(t.issued) + t.exchangedIn + t.restored;
            uint256 left = uint256(t.redeemed) + t.spent + t.exchangedOut + t.expired + t.revoked;
            assertEq(sum, entered - left, "balances are what entered less what left");
            assertEq(sum, house.totalSupply(p), "supply");
            assertEq(keccak256(abi.encode(t)), keccak256(abi.encode(_totals[p])), "totals");
        }
    }

    function checkPositionsSumToTheFunds() external view {
        int256 sum;
        for (uint32 m = 0; m < ALL_MERCHANTS; ++m) {
            assertEq(_position(m), _positions[m], "position");
            sum += _position(m);
        }
        assertEq(sum, house.settlementFunds(), "positions");
        assertEq(sum, _funds, "deposits less withdrawals");
    }

    function checkSettlementFundsAreNeverNegative() external view {
        assertGe(house.settlementFunds(), 0, "more was paid out than paid in");
    }

    function checkNoPositionIsBelowItsLimit() external view {
        for (uint32 m = 0; m < ALL_MERCHANTS; ++m) {
            (, int96 position, uint96 limit) = house.merchantOf(m);
            assertEq(int96(limit), _limits[m], "limit");
            assertGe(position, -int96(limit), "below the limit");
        }
    }

    function checkNothingWasDoneTwice() external view {
        for (uint32 m = 0; m < ALL_MERCHANTS; ++m) {
            for (uint48 n = 0; n <= nextNonce[m]; ++n) {
                assertEq(house.nonceUsed(m, n), _consumed[m][n], "nonce");
            }
        }
        for (uint256 i = 0; i < _leaves.length; ++i) {
            assertEq(house.reversedOf(_leaves[i]), _undone[_leaves[i]], "reversed");
        }
    }

    /// @dev That no exchange gains worth is checked with each of them; here, that the days' caps are what was used.
    function checkNoCycleGains() external view {
        uint256 day = (_now() + 8 hours) / 1 days;
        assertEq(house.today(), day, "day");
        for (uint32 a = 1; a <= _terms.length; ++a) {
            assertEq(house.usedToday(a), _used[a][day], "used today");
            AgreementTerms storage t = _terms[a - 1];
            if (t.kind != AgreementKind.Exchange) continue;
            uint256 gives = uint256(t.rateNum) * _worth[t.targetProgram];
            assertLe(gives, uint256(t.rateDen) * _worth[t.sourceProgram], "a rate that opens a cycle");
        }
    }

    /// @dev `Network` rebuilds root and head from every batch's events; here, that all of them still stand.
    function checkTheJournalIsRebuiltFromEvents() external view {
        bytes32 rebuilt;
        for (uint40 b = 1; b <= closedBatches; ++b) {
            bytes32 root = _root(leavesOf[b]);
            assertEq(house.rootOf(b), root, "root");
            rebuilt = keccak256(abi.encode(rebuilt, b, leavesOf[b].length, root));
        }
        assertEq(house.head(), rebuilt, "head");
        assertEq(house.batchCount(), closedBatches, "batches");
    }

    // ---------------------------------------------------------------- what was reached

    function report() external view {
        console.log("batches %s, atomic orders %s, entries %s", batches, atomics, _leaves.length);
        console.log("  withdrawals that the bank could not pay: %s", unfunded);
        for (uint256 k = 1; k < accepted.length; ++k) {
            console.log("  accepted %s: %s", KINDS[k], accepted[k]);
        }
        for (uint256 r = 1; r < refused.length; ++r) {
            console.log("  refused  %s: %s", REASONS[r], refused[r]);
        }
    }

    /// @notice The kinds and reasons not met so far, by name; and whether the bank was ever short of money.
    function missing() external view returns (string memory names) {
        for (uint256 k = 1; k < accepted.length; ++k) {
            if (accepted[k] == 0) names = string.concat(names, " ", KINDS[k]);
        }
        for (uint256 r = 1; r < refused.length; ++r) {
            if (refused[r] == 0) names = string.concat(names, " ", REASONS[r]);
        }
        if (unfunded == 0) names = string.concat(names, " FundsTooLow");
    }
}
