// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {console} from "forge-std/console.sol";

import {
    AgreementKind,
    AgreementTerms,
    Entry,
    Evidence,
    IClearingHouse,
    Kind,
    MerchantStatus,
    ProgramTotals,
    Reason
} from "../../interfaces/IClearingHouse.sol";
import {Network} from "./Network.sol";

/// @notice Drives a network at random: batches of good and bad orders, money, keys, statuses, pauses and time. From the events and its
/// own orders alone it computes what the contract's state must be, and compares the two.
contract Handler is Network {
    struct Dice {
        uint256 seed;
    }

    struct Cap {
        uint64 points;
        uint64 nextPoints;
        uint256 nextDay;
    }

    uint32 private constant BAKERY = 5; // closed from the start
    uint32 private constant FULL = 7; // a program that has minted all that it ever can
    uint32 private constant ALL_PROGRAMS = 7;
    uint32 private constant ALL_MERCHANTS = 6;

    string[8] private KINDS = ["", "issue", "redeem", "exchange", "spend", "transfer", "reverse", "expire"];
    string[31] private REASONS = [
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
        "EmptyOrder",
        "OverIssuanceCap"
    ];

    /// @dev Entries by kind, and refusals by reason.
    uint256[8] public accepted;
    uint256[31] public refused;
    uint256 public batches;
    uint256 public atomics;
    /// @dev Withdrawals that failed because there was not enough money in the bank.
    uint256 public unfunded;
    /// @dev Movements that the target side initiated and undid on the same day.
    uint256 public undone;

    // The expected state.
    mapping(address member => mapping(uint32 program => uint256)) private _balances;
    mapping(uint32 program => ProgramTotals) private _totals;
    mapping(uint32 merchant => int256) private _positions;
    mapping(uint32 merchant => int256) private _creditLimits;
    mapping(uint32 agreement => mapping(uint256 day => uint256)) private _used;
    mapping(uint32 program => mapping(uint256 day => uint256)) private _issued; // under a cap
    mapping(uint32 program => Cap) private _caps;
    mapping(uint32 merchant => mapping(uint48 nonce => bool)) private _consumed;
    mapping(bytes32 leaf => uint256) private _reversed;
    mapping(bytes32 leaf => uint256) private _feeReturned;
    mapping(bytes32 leaf => uint256) private _dayOf;
    int256 private _funds;
    bytes32[] private _leaves;
    AgreementTerms[] private _terms;
    uint256 private _keyCount;
    uint32 private _tightAgreement; // an agreement with a cap that is soon used up
    uint32 private _suspendedMerchant;
    uint32 private _pausedProgram;
    /// @dev A worth for one point of each program, in twelfths, under which no agreement gives more than it takes.
    uint256[8] private _worthInTwelfths = [0, 9, 10, 14, 1, 9, 6, 1];

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
        AgreementTerms memory terms = _exchangeTerms(CINE, FUEL, 1, 2, 1, 0, 3);
        terms.validUntil = terms.validFrom + 1;
        _register(terms);
        terms = _exchangeTerms(FUEL, CINE, 9, 10, 10_000, 10, 3);
        (terms.maxPoints, terms.dailyCap, terms.document) = (30_000, 30_000, "tight");
        _tightAgreement = _register(terms);
        terms = _acceptanceTerms(VIDEO, OPERATOR, 5000, 10_000, 1);
        vm.prank(admin);
        house.recoverSigner(OPERATOR, vm.addr(_key(OPERATOR, 0)));
        keyOf[OPERATOR] = _key(OPERATOR, 0);
        _register(terms);

        for (uint32 agreement = 1; agreement <= house.agreementCount(); ++agreement) {
            _terms.push(lens.agreementOf(agreement));
        }
        for (uint32 merchant = GAS_STATION; merchant <= CAR_WASH; ++merchant) {
            (_positions[merchant], _creditLimits[merchant]) = (int96(DEPOSIT), int96(CREDIT));
        }
        _funds = 4 * int96(DEPOSIT);
        // Give every member points, so that early random orders find something to move.
        for (uint256 i = 0; i < members.length; ++i) {
            _executeAndRecord(
                _order(GAS_STATION, _list(_issue(FUEL, members[i], 150_000), _issue(FLEET, members[i], 1000)))
            );
            _executeAndRecord(_order(CINEMA, _list(_issue(CINE, members[i], 50_000), _issue(FILM, members[i], 1000))));
            _executeAndRecord(
                _order(SUPERMARKET, _list(_issue(MART, members[i], 150_000), _issue(VIDEO, members[i], 900)))
            );
        }
        _executeAndRecord(_order(SUPERMARKET, _issue(FULL, ann, type(uint64).max)));
        vm.warp(START + 2);
    }

    function setUp() public pure override {}

    // ---------------------------------------------------------------- actions

    /// @notice Executes a batch of one to four orders of one to four instructions each. Most of them are good.
    function trade(uint256 seed) public {
        Dice memory dice = Dice(seed);
        OrderDraft[] memory drafts = new OrderDraft[](1 + _roll(dice, 4));
        for (uint256 i = 0; i < drafts.length; ++i) {
            drafts[i] = i != 0 && _oneIn(dice, 12) ? drafts[i - 1] : _anyOrder(dice);
        }
        _executeAndRecord(drafts);
    }

    /// @notice Exchanges points there and back in one atomic order, which must never gain any.
    function roundTrip(uint256 seed) public {
        Dice memory dice = Dice(seed);
        address member = _anyMember(dice);
        uint64 points = uint64(2 + _roll(dice, 2000));
        uint256 before = _balances[member][FUEL];
        uint256 cine = _balances[member][CINE];
        Instruction memory there = _exchange(FUEL_TO_CINE, FUEL, member, points);
        Instruction memory back = _exchange(CINE_TO_FUEL, CINE, member, points * 9 / 10);
        _executeAndRecord(_atomic(CINEMA, _list(there, back)));
        if (posted.length == 0) return;
        assertLe(lens.balanceOf(member, FUEL), before, "there and back gains nothing");
        assertGe(lens.balanceOf(member, CINE), cine, "and takes nothing that was there");
    }

    /// @notice The target side initiates an exchange or a spend and undoes it in parts on the same day, which must neither cost the
    /// source merchant anything nor use up any of the day's cap.
    function undoneByTarget(uint256 seed) public {
        Dice memory dice = Dice(seed);
        bool spend = _oneIn(dice, 2);
        (uint32 agreement, uint32 target) = spend ? (FUEL_AT_CAR_WASH, CAR_WASH) : (FUEL_TO_CINE, CINEMA);
        uint64 points = uint64(2 + _roll(dice, 2000));
        address member = _anyMember(dice);
        int256 source = _positions[GAS_STATION];
        uint64 used = lens.usedToday(agreement);
        _executeAndRecord(
            _order(target, spend ? _spend(agreement, FUEL, member, points) : _exchange(agreement, FUEL, member, points))
        );
        if (posted.length == 0) return;
        Entry memory original = posted[0];
        while (_reversed[_leaf(original)] < _pointsOf(original)) {
            uint64 left = uint64(_pointsOf(original) - _reversed[_leaf(original)]);
            _executeAndRecord(
                _order(target, _reverse(original, _oneIn(dice, 2) ? left : 1 + uint64(_roll(dice, left))))
            );
            if (posted.length == 0) return; // the target side cannot pay the fee back, so it stays undone in part
        }
        ++undone;
        assertEq(_positions[GAS_STATION], source, "it cost the source merchant something");
        assertEq(lens.usedToday(agreement), used, "it used up some of the cap");
        assertEq(_feeReturned[_leaf(original)], _feeOf(original), "the parts of the fee are not the fee");
    }

    function depositMoney(uint32 merchant, uint96 micros) public {
        merchant = merchant % ALL_MERCHANTS;
        micros = uint96(_bound(micros, 1, 3000e6));
        _deposit(merchant, micros);
        _positions[merchant] += int96(micros);
        _funds += int96(micros);
    }

    /// @notice Often withdraws the whole position, so that liquidity runs out. Sometimes tries more, which must fail.
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

    /// @notice Every merchant tries to withdraw its whole position. The bank pays those that it can pay in full.
    function emptyTheBank() public {
        for (uint32 merchant = 0; merchant < ALL_MERCHANTS; ++merchant) {
            if (_positions[merchant] > 0) withdrawMoney(merchant, 1);
        }
    }

    function changeLimit(uint32 merchant, uint96 micros) public {
        merchant = merchant % 5;
        micros = micros % 3 == 0 ? 0 : uint96(_bound(micros, 0, 2000e6));
        vm.prank(operator);
        try house.setCreditLimit(merchant, micros) {
            assertGe(_positions[merchant], -int96(micros), "a limit below what is used");
            _creditLimits[merchant] = int96(micros);
        } catch {
            assertLt(_positions[merchant], -int96(micros), "a limit was refused");
        }
    }

    /// @notice Suspends at most one merchant at a time, so that the others can still trade.
    function suspendOrResume(uint32 merchant) public {
        if (_suspendedMerchant != 0) _setStatus(_suspendedMerchant, MerchantStatus.Active);
        _suspendedMerchant = _suspendedMerchant != 0 ? 0 : GAS_STATION + merchant % 4;
        if (_suspendedMerchant != 0) _setStatus(_suspendedMerchant, MerchantStatus.Suspended);
    }

    /// @notice Pauses at most one program at a time.
    function pauseOrRestart(uint32 program) public {
        if (_pausedProgram != 0) _setPaused(_pausedProgram, false);
        _pausedProgram = _pausedProgram != 0 ? 0 : 1 + program % PROGRAMS;
        if (_pausedProgram != 0) _setPaused(_pausedProgram, true);
    }

    /// @notice Gives a program another cap of its day's issues, sometimes none.
    function changeCap(uint32 program, uint64 points) public {
        program = program % 2 == 0 ? CINE : MART;
        points = points % 4 == 0 ? 0 : uint64(_bound(points, 1, 20_000));
        vm.prank(operator);
        house.setIssuanceCap(program, points);
        uint256 day = (_now() + 8 hours) / 1 days;
        uint64 before = _capOn(program, day);
        bool more = before != 0 && (points == 0 || points > before);
        _caps[program] = more ? Cap(before, points, day + 2) : Cap(points, 0, 0);
    }

    function _capOn(uint32 program, uint256 day) private view returns (uint64) {
        Cap storage cap = _caps[program];
        return cap.nextDay != 0 && cap.nextDay <= day ? cap.nextPoints : cap.points;
    }

    /// @notice Pauses the network briefly. Meanwhile not even an empty batch may execute.
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

    /// @notice Adds a new key with the old one's signature, then revokes the old one.
    function rotateKey(uint32 merchant) public {
        merchant = GAS_STATION + merchant % 4;
        uint256 fresh = _key(merchant, ++_keyCount);
        _consumed[merchant][nextNonce[merchant]] = true;
        _changeSigner(merchant, fresh, 0, FOREVER, keyOf[merchant]);
        vm.prank(operator);
        house.revokeSigner(vm.addr(keyOf[merchant]), uint40(_now()));
        keyOf[merchant] = fresh;
    }

    /// @notice Registers a new version of an exchange, with a slightly worse rate.
    function renew(uint256 seed) public {
        uint32 old = seed % 2 == 0 ? FUEL_TO_FILM : MART_TO_CINE;
        AgreementTerms memory terms = lens.agreementOf(old);
        // A suspended merchant begins nothing new.
        bool suspended = _suspendedMerchant == terms.sourceMerchant || _suspendedMerchant == terms.targetMerchant;
        if (_terms.length >= 20 || (_suspendedMerchant != 0 && suspended)) return;
        (terms.supersedes, terms.graceSeconds, terms.document) =
        (old, uint32(seed >> 8) % 1 days, bytes32(_terms.length));
        (terms.validFrom, terms.validUntil) = (uint40(_now()), uint40(_now() + 300 days));
        (terms.rateNum, terms.rateDen) = (terms.rateNum * 9, terms.rateDen * 10);
        uint32 id = _register(terms);
        _terms.push(terms);
        uint256 day = (_now() + 8 hours) / 1 days;
        _used[id][day] = _used[old][day];
    }

    function waitFor(uint32 time) public {
        vm.warp(_now() + time % 20 hours);
    }

    // ---------------------------------------------------------------- random orders

    function _anyOrder(Dice memory dice) private returns (OrderDraft memory draft) {
        uint32 merchant = uint32(_roll(dice, 5));
        if (merchant == OPERATOR && !_oneIn(dice, 4)) merchant = GAS_STATION;
        if (_oneIn(dice, 25)) merchant = BAKERY;
        Instruction[] memory instructions = new Instruction[](1 + _roll(dice, 4));
        for (uint256 i = 0; i < instructions.length; ++i) {
            instructions[i] = _anyInstruction(dice, merchant);
            if (_oneIn(dice, 10)) _spoil(dice, instructions[i]);
        }
        draft = _order(merchant, instructions);
        draft.atomic = _oneIn(dice, 4);
        if (_oneIn(dice, 30)) draft.key = _key(merchant, type(uint256).max);
        if (_oneIn(dice, 40)) draft.instructions = new Instruction[](0);
        if (_oneIn(dice, 30)) draft.deadline = uint40(_now() - 1);
        if (_oneIn(dice, 20) && draft.nonce != 0) draft.nonce = uint48(_roll(dice, draft.nonce));
    }

    /// @dev An instruction that `merchant` may send, if the dice find one.
    function _anyInstruction(Dice memory dice, uint32 merchant) private view returns (Instruction memory instruction) {
        address member = _anyMember(dice);
        uint256 roll = _roll(dice, 10);
        if (roll >= 8) return _anyReversal(dice, merchant);
        if (roll >= 4 || merchant == CAR_WASH || merchant == OPERATOR) return _anyConversion(dice, merchant, member);
        uint32 program = uint32(1 + _roll(dice, ALL_PROGRAMS));
        for (uint256 i = 0; i < 8 && _merchantOfProgram(program) != merchant; ++i) {
            program = uint32(1 + _roll(dice, ALL_PROGRAMS));
        }
        uint64 points = _anyPoints(dice, _balances[member][program]);
        if (roll == 0) {
            instruction = _issue(program, member, uint64(1 + _roll(dice, 20_000)));
            if (_oneIn(dice, 3)) instruction.expiryDay = house.today() - 1 + uint32(_roll(dice, 20));
        } else if (roll == 1) {
            instruction = _redeem(program, member, points);
        } else if (roll == 2) {
            instruction = _expire(program, member, points);
        } else {
            instruction = _transfer(program, member, _anyMember(dice), points);
        }
    }

    function _anyConversion(Dice memory dice, uint32 merchant, address member)
        private
        view
        returns (Instruction memory instruction)
    {
        uint32 id;
        for (uint256 i = 0; i < 12; ++i) {
            id = i == 0 && _oneIn(dice, 5) ? _tightAgreement : uint32(1 + _roll(dice, _terms.length));
            if (_mayInitiate(_terms[id - 1], merchant)) break;
        }
        AgreementTerms storage terms = _terms[id - 1];
        uint256 has = _balances[member][terms.sourceProgram];
        uint64 points = _anyPoints(dice, has);
        if (_oneIn(dice, 6)) points = uint64(90_000 + _roll(dice, 20_000));
        instruction = terms.kind == AgreementKind.Exchange
            ? _exchange(id, terms.sourceProgram, member, points)
            : _spend(id, terms.sourceProgram, member, points);
        if (_oneIn(dice, 8)) instruction.minOut = points;
    }

    function _mayInitiate(AgreementTerms storage terms, uint32 merchant) private view returns (bool) {
        if (terms.sourceMerchant == merchant && terms.initiators & 1 != 0) return true;
        return terms.targetMerchant == merchant && terms.initiators & 2 != 0;
    }

    function _anyReversal(Dice memory dice, uint32 merchant) private view returns (Instruction memory instruction) {
        bytes32 leaf;
        for (uint256 i = 0; i < 8; ++i) {
            leaf = _leaves[_roll(dice, _leaves.length)];
            Entry storage entry = entryOf[leaf];
            if (_kindOf(entry) == Kind.Reverse ? _oneIn(dice, 4) : _giverOf(entry) == merchant) break;
        }
        Entry memory original = entryOf[leaf];
        uint256 left = _pointsOf(original) - _reversed[leaf];
        uint64 points = left == 0 || _oneIn(dice, 8) ? uint64(left + 1) : uint64(1 + _roll(dice, left));
        if (left != 0 && _oneIn(dice, 2)) points = uint64(left);
        instruction = _reverse(original, points);
    }

    function _giverOf(Entry memory entry) private view returns (uint32) {
        uint32 agreement = _agreementOf(entry);
        return agreement == 0 ? _merchantOfProgram(_programOf(entry)) : _terms[agreement - 1].targetMerchant;
    }

    function _spoil(Dice memory dice, Instruction memory instruction) private pure {
        uint256 how = _roll(dice, 9);
        if (how == 0) instruction.points = 0;
        else if (how == 1) instruction.points = type(uint64).max;
        else if (how == 2) instruction.member = address(0);
        else if (how == 3) instruction.kind = uint8(_roll(dice, 10));
        else if (how == 4) instruction.program = uint32(_roll(dice, 9));
        else if (how == 5) instruction.agreement = uint32(_roll(dice, 14));
        else if (how == 6) instruction.link = bytes32(dice.seed);
        else if (how == 7) instruction.link = 0;
        else instruction.minOut = type(uint64).max;
    }

    function _anyPoints(Dice memory dice, uint256 has) private pure returns (uint64) {
        if (has == 0 || _oneIn(dice, 12)) return uint64(1 + _roll(dice, 2000));
        if (_oneIn(dice, 20)) return uint64(Math.min(has + 1, type(uint64).max));
        return uint64(1 + _roll(dice, Math.min(has, 30_000)));
    }

    function _anyMember(Dice memory dice) private view returns (address) {
        return members[_roll(dice, members.length)];
    }

    function _roll(Dice memory dice, uint256 sides) private pure returns (uint256) {
        dice.seed = uint256(keccak256(abi.encode(dice.seed)));
        return dice.seed % sides;
    }

    function _oneIn(Dice memory dice, uint256 times) private pure returns (bool) {
        return _roll(dice, times) == 0;
    }

    // ---------------------------------------------------------------- execution and expected state

    function _executeAndRecord(OrderDraft memory draft) private {
        _executeAndRecord(_list(draft));
    }

    function _executeAndRecord(OrderDraft[] memory drafts) private {
        _execute(drafts);
        ++batches;
        for (uint256 i = 0; i < posted.length; ++i) {
            Entry memory entry = posted[i];
            ++accepted[uint256(_kindOf(entry))];
            _leaves.push(_leaf(entry));
            _dayOf[_leaf(entry)] = (_now() + 8 hours) / 1 days;
            _recordEntry(entry, _askedFor(drafts, entry));
        }
        for (uint256 i = 0; i < refusals.length; ++i) {
            ++refused[uint256(refusals[i].reason)];
        }
        for (uint256 i = 0; i < drafts.length; ++i) {
            if (drafts[i].atomic) ++atomics;
            _recordNonce(drafts, i);
        }
    }

    /// @dev Checks that at most one of all the orders ever sent with this nonce was admitted.
    function _recordNonce(OrderDraft[] memory drafts, uint256 which) private {
        (uint32 merchant, uint48 nonce) = (drafts[which].merchant, drafts[which].nonce);
        uint256 sent;
        for (uint256 i = 0; i < drafts.length; ++i) {
            if (drafts[i].merchant != merchant || drafts[i].nonce != nonce) continue;
            if (i < which) return; // the first of them was checked already
            ++sent;
        }
        for (uint256 i = 0; i < refusals.length; ++i) {
            Refusal memory refusal = refusals[i];
            bool notAdmitted = refusal.item == WHOLE_ORDER && refusal.reason != Reason.AtomicFailed;
            if (notAdmitted && refusal.merchant == merchant && refusal.nonce == nonce) --sent;
        }
        assertLe(sent + (_consumed[merchant][nonce] ? 1 : 0), 1, "a nonce was consumed twice");
        if (sent == 1) _consumed[merchant][nonce] = true;
        assertEq(lens.nonceUsed(merchant, nonce), _consumed[merchant][nonce], "nonce");
    }

    function _askedFor(OrderDraft[] memory drafts, Entry memory entry) private pure returns (Instruction memory) {
        for (uint256 i = 0; i < drafts.length; ++i) {
            if (drafts[i].merchant != _merchantOf(entry) || drafts[i].nonce != _nonceOf(entry)) continue;
            Instruction[] memory instructions = drafts[i].instructions;
            uint256 item = _itemOf(entry);
            bool same = item < instructions.length && instructions[item].kind == uint8(_kindOf(entry));
            if (same && instructions[item].ref == entry.ref && instructions[item].link == entry.link) {
                return instructions[item];
            }
        }
        revert("an entry that nobody asked for");
    }

    /// @dev Applies an entry to the expected state, and checks that the entry is what its instruction asked for.
    function _recordEntry(Entry memory entry, Instruction memory asked) private {
        (Kind kind, uint32 program, uint64 points) = (_kindOf(entry), _programOf(entry), _pointsOf(entry));
        ProgramTotals storage totals = _totals[program];
        assertEq(entry.member, asked.member, "member");
        assertEq(program, asked.program, "program");
        if (kind != Kind.Exchange) assertEq(points, asked.points, "points");
        if (kind == Kind.Issue) {
            assertEq(_expiryDayOf(entry), asked.expiryDay, "expiry day");
            totals.issued += points;
            _balances[entry.member][program] += points;
            uint256 day = (_now() + 8 hours) / 1 days;
            if (_caps[program].points != 0) _issued[program][day] += points;
            if (_capOn(program, day) != 0) assertLe(_issued[program][day], _capOn(program, day), "issuance cap");
        } else if (kind == Kind.Redeem) {
            totals.redeemed += points;
            _balances[entry.member][program] -= points;
        } else if (kind == Kind.Expire) {
            totals.expired += points;
            _balances[entry.member][program] -= points;
        } else if (kind == Kind.Transfer) {
            _balances[entry.member][program] -= points;
            _balances[address(uint160(uint256(entry.link)))][program] += points;
        } else if (kind == Kind.Reverse) {
            _recordReversal(entry);
        } else {
            _recordConversion(entry, asked);
        }
    }

    function _recordConversion(Entry memory entry, Instruction memory asked) private {
        AgreementTerms storage terms = _terms[asked.agreement - 1];
        (uint64 points, uint64 out, uint64 settled) = (_pointsOf(entry), _outOf(entry), _settledOf(entry));
        assertEq(_agreementOf(entry), asked.agreement, "agreement");
        assertEq(_feeOf(entry), Math.mulDiv(settled, terms.feeBps, 10_000, Math.Rounding.Ceil), "fee");
        if (terms.kind == AgreementKind.Exchange) {
            assertEq(out, Math.mulDiv(asked.points, terms.rateNum, terms.rateDen), "out");
            assertEq(points, Math.mulDiv(out, terms.rateDen, terms.rateNum, Math.Rounding.Ceil), "points");
            assertEq(settled, uint256(out) * terms.unitPriceMicros, "settled");
            assertGe(out, asked.minOut, "the member's minimum");
            assertLe(
                out * _worthInTwelfths[terms.targetProgram],
                points * _worthInTwelfths[terms.sourceProgram],
                "an exchange gained worth"
            );
            _totals[terms.sourceProgram].exchangedOut += points;
            _totals[terms.targetProgram].exchangedIn += out;
            _balances[entry.member][terms.targetProgram] += out;
        } else {
            assertEq(settled, uint256(points) * terms.unitPriceMicros, "settled");
            assertEq(out, 0, "a spend mints nothing");
            _totals[terms.sourceProgram].spent += points;
        }
        _balances[entry.member][terms.sourceProgram] -= points;
        uint256 day = (_now() + 8 hours) / 1 days;
        _used[asked.agreement][day] += points;
        assertLe(_used[asked.agreement][day], terms.dailyCap, "daily cap");
        _pay(terms.sourceMerchant, terms.targetMerchant, settled);
        _pay(terms.sourceMerchant, OPERATOR, _feeOf(entry));
    }

    function _recordReversal(Entry memory entry) private {
        Entry memory original = entryOf[entry.link];
        (uint32 program, uint64 points) = (_programOf(original), _pointsOf(entry));
        (Kind kind, uint32 agreement) = (_kindOf(original), _agreementOf(original));
        _reversed[entry.link] += points;
        assertLe(_reversed[entry.link], _pointsOf(original), "reversed more than the original");
        assertEq(_agreementOf(entry), agreement, "agreement");
        assertEq(_merchantOf(entry), _giverOf(original), "giver");
        if (kind == Kind.Issue) {
            _totals[program].revoked += points;
            _balances[entry.member][program] -= points;
        } else if (kind == Kind.Transfer) {
            _balances[address(uint160(uint256(original.link)))][program] -= points;
            _balances[entry.member][program] += points;
        } else {
            _totals[program].restored += points;
            _balances[entry.member][program] += points;
        }
        if (agreement == 0) return;
        AgreementTerms storage terms = _terms[agreement - 1];
        if (kind == Kind.Exchange) {
            _totals[terms.targetProgram].revoked += _outOf(entry);
            _balances[entry.member][terms.targetProgram] -= _outOf(entry);
        }
        assertEq(
            _settledOf(entry),
            (kind == Kind.Exchange ? _outOf(entry) : uint256(points)) * terms.unitPriceMicros,
            "settled"
        );
        _pay(terms.targetMerchant, terms.sourceMerchant, _settledOf(entry) + _feeOf(entry));
        uint256 day = (_now() + 8 hours) / 1 days;
        if (_dayOf[entry.link] == day) _used[agreement][day] -= points;
        _recordReturnedFee(entry, original, terms.sourceMerchant);
    }

    /// @dev Whoever initiated the original bears its fee: if that is the target side, the source gets its share of the fee back.
    function _recordReturnedFee(Entry memory entry, Entry memory original, uint32 source) private {
        _feeReturned[entry.link] += _feeOf(entry);
        uint256 fee = _merchantOf(original) == source ? 0 : _feeOf(original);
        uint256 share = Math.mulDiv(fee, _reversed[entry.link], _pointsOf(original), Math.Rounding.Ceil);
        assertEq(_feeReturned[entry.link], share, "the fee that was returned so far");
    }

    function _pay(uint32 payer, uint32 payee, uint64 micros) private {
        _positions[payer] -= int256(uint256(micros));
        _positions[payee] += int256(uint256(micros));
        assertGe(_positions[payer], -_creditLimits[payer], "below the credit limit in the midst of a batch");
    }

    // ---------------------------------------------------------------- invariants

    function checkProgramsAddUp() external view {
        for (uint32 program = 1; program <= ALL_PROGRAMS; ++program) {
            ProgramTotals memory totals = lens.totalsOf(program);
            uint256 sum;
            for (uint256 i = 0; i < members.length; ++i) {
                uint256 balance = lens.balanceOf(members[i], program);
                assertEq(balance, _balances[members[i]][program], "balance");
                sum += balance;
            }
            uint256 entered = uint256(totals.issued) + totals.exchangedIn + totals.restored;
            uint256 left =
                uint256(totals.redeemed) + totals.spent + totals.exchangedOut + totals.expired + totals.revoked;
            assertEq(sum, entered - left, "balances are what entered less what left");
            assertEq(sum, lens.totalSupply(program), "supply");
            assertEq(keccak256(abi.encode(totals)), keccak256(abi.encode(_totals[program])), "totals");
        }
    }

    function checkIssuesKeepToTheirCaps() external view {
        uint256 day = (_now() + 8 hours) / 1 days;
        for (uint32 program = 1; program <= ALL_PROGRAMS; ++program) {
            Cap memory cap = _caps[program];
            if (cap.nextDay <= day) (cap.nextPoints, cap.nextDay) = (0, 0);
            (uint64 points, uint64 used, uint64 nextPoints, uint32 nextDay) = lens.issuanceCapOf(program);
            assertEq(points, _capOn(program, day), "cap");
            assertEq(used, _issued[program][day], "issued today");
            assertEq(abi.encode(nextPoints, nextDay), abi.encode(cap.nextPoints, cap.nextDay), "next cap");
        }
    }

    function checkPositionsSumToTheFunds() external view {
        int256 sum;
        for (uint32 merchant = 0; merchant < ALL_MERCHANTS; ++merchant) {
            assertEq(_position(merchant), _positions[merchant], "position");
            sum += _position(merchant);
        }
        assertEq(sum, house.settlementFunds(), "positions");
        assertEq(sum, _funds, "deposits less withdrawals");
    }

    function checkSettlementFundsAreNeverNegative() external view {
        assertGe(house.settlementFunds(), 0, "more was paid out than paid in");
    }

    function checkNoPositionIsBelowItsLimit() external view {
        for (uint32 merchant = 0; merchant < ALL_MERCHANTS; ++merchant) {
            (, int96 position, uint96 creditLimit) = lens.merchantOf(merchant);
            assertEq(int96(creditLimit), _creditLimits[merchant], "limit");
            assertGe(position, -int96(creditLimit), "below the limit");
        }
    }

    function checkNothingWasDoneTwice() external view {
        for (uint32 merchant = 0; merchant < ALL_MERCHANTS; ++merchant) {
            for (uint48 nonce = 0; nonce <= nextNonce[merchant]; ++nonce) {
                assertEq(lens.nonceUsed(merchant, nonce), _consumed[merchant][nonce], "nonce");
            }
        }
        for (uint256 i = 0; i < _leaves.length; ++i) {
            assertEq(house.reversedOf(_leaves[i]), _reversed[_leaves[i]], "reversed");
        }
    }

    /// @dev `_recordConversion` checks that no exchange gains worth. This checks each agreement's use of the day and its rate.
    function checkNoCycleGains() external view {
        uint256 day = (_now() + 8 hours) / 1 days;
        assertEq(house.today(), day, "day");
        for (uint32 agreement = 1; agreement <= _terms.length; ++agreement) {
            assertEq(lens.usedToday(agreement), _used[agreement][day], "used today");
            AgreementTerms storage terms = _terms[agreement - 1];
            if (terms.kind != AgreementKind.Exchange) continue;
            uint256 gives = uint256(terms.rateNum) * _worthInTwelfths[terms.targetProgram];
            assertLe(gives, uint256(terms.rateDen) * _worthInTwelfths[terms.sourceProgram], "a rate that opens a cycle");
        }
    }

    /// @dev `Network` checks root and head after every batch. This checks that no earlier root changed since.
    function checkTheJournalIsRebuiltFromEvents() external view {
        bytes32 rebuilt;
        for (uint40 batch = 1; batch <= closedBatches; ++batch) {
            bytes32 root = _root(leavesOf[batch]);
            assertEq(house.rootOf(batch), root, "root");
            rebuilt = keccak256(abi.encode(rebuilt, batch, leavesOf[batch].length, root));
        }
        assertEq(house.head(), rebuilt, "head");
        assertEq(house.batchCount(), closedBatches, "batches");
    }

    // ---------------------------------------------------------------- what was reached

    function report() external view {
        console.log("batches %s, atomic orders %s, entries %s", batches, atomics, _leaves.length);
        console.log("  withdrawals that the bank could not pay: %s", unfunded);
        console.log("  undone by the target side on the same day: %s", undone);
        for (uint256 kind = 1; kind < accepted.length; ++kind) {
            console.log("  accepted %s: %s", KINDS[kind], accepted[kind]);
        }
        for (uint256 reason = 1; reason < refused.length; ++reason) {
            console.log("  refused  %s: %s", REASONS[reason], refused[reason]);
        }
    }

    /// @notice The names of the kinds and reasons not reached so far, and `FundsTooLow` if the bank was never short of money.
    function missing() external view returns (string memory names) {
        for (uint256 kind = 1; kind < accepted.length; ++kind) {
            if (accepted[kind] == 0) names = string.concat(names, " ", KINDS[kind]);
        }
        for (uint256 reason = 1; reason < refused.length; ++reason) {
            if (refused[reason] == 0) names = string.concat(names, " ", REASONS[reason]);
        }
        if (unfunded == 0) names = string.concat(names, " FundsTooLow");
    }
}
