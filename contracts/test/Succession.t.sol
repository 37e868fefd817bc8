// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {
    AgreementTerms,
    Entry,
    Evidence,
    IClearingHouse,
    MerchantStatus,
    Reason,
    Role,
    SignerChange
} from "../interfaces/IClearingHouse.sol";
import {IClearingHouseSuccession, Leaf, LeafKind, Predecessor, Stage} from "../interfaces/IClearingHouseSuccession.sol";
import {PackedOrder} from "./support/Network.sol";
import {Snapshots} from "./support/Snapshots.sol";

/// @notice The end of a house, and what its successor takes over: everything, once, and nothing else.
contract SuccessionTest is Snapshots {
    Entry private redeemed;
    Entry private exchanged;
    bytes32 private lastState;

    function setUp() public override {
        super.setUp();
        _accept(GAS_STATION, _issue(FUEL, ann, 10_000));
        _accept(CINEMA, _issue(FILM, bob, 777));
        exchanged = _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
        redeemed = _accept(GAS_STATION, _redeem(FUEL, ann, 100));
        _accept(GAS_STATION, _reverse(redeemed, 40));
        _accept(GAS_STATION, _transfer(FUEL, ann, cat, 50));
        _accept(GAS_STATION, _expire(FUEL, ann, 3));
        _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 4));
        _accept(GAS_STATION, _reverse(_accept(GAS_STATION, _issue(FLEET, ann, 6)), 5));
        _accept(SUPERMARKET, _issue(VIDEO, bob, 8));
        _setPaused(MART, true);
        lastState = _stateHash();
    }

    // ---------------------------------------------------------------- freeze

    function test_OnlyTheOwnerFreezes() public {
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, operator));
        _succession().freeze();
    }

    function test_AFreezeSaysWhatIsFinal() public {
        vm.expectEmit(address(house));
        emit Ownable.OwnershipTransferred(admin, address(0));
        vm.expectEmit(address(house));
        emit IClearingHouseSuccession.Frozen(
            closedBatches, chainedHead, 4 * int96(DEPOSIT), CAR_WASH + 1, PROGRAMS, MART_TO_CINE
        );
        vm.prank(admin);
        _succession().freeze();
        (Stage stage,,) = lens.successionOf();
        assertEq(uint256(stage), uint256(Stage.Frozen));
        assertEq(_stateHash(), lastState);
        assertEq(lens.positionsOf(0, CAR_WASH), house.settlementFunds());
        assertEq(lens.positionsOf(CINEMA, CINEMA), _position(CINEMA));
        assertEq(lens.positionsOf(CINEMA, GAS_STATION), 0);
        assertEq(Ownable(address(house)).owner(), address(0));
    }

    /// @dev Whoever may do something in a house tries it. `frozen` has nobody who may do what an owner does.
    function _assertNothingWorks(Stage stage) private {
        bytes32 before = _stateHash();
        AgreementTerms memory terms;
        bytes memory wrong = abi.encodeWithSelector(IClearingHouseSuccession.WrongStage.selector, stage);
        bytes memory paused = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        (PackedOrder[] memory orders, Evidence[] memory evidence) =
            _sign(_list(_order(GAS_STATION, _issue(FUEL, ann, 1))));
        bytes memory packed = _pack(orders);
        vm.prank(sequencer);
        vm.expectRevert(paused);
        house.execute(packed, evidence);
        address key = vm.addr(keyOf[GAS_STATION]);

        vm.startPrank(operator);
        vm.expectRevert(wrong);
        house.registerMerchant(CAR_WASH + 1, "x", stranger, 0);
        vm.expectRevert(wrong);
        house.setMerchantStatus(CINEMA, MerchantStatus.Suspended);
        vm.expectRevert(wrong);
        house.revokeSigner(key, 1);
        vm.expectRevert(wrong);
        house.registerProgram(PROGRAMS + 1, CINEMA, "x", "x");
        vm.expectRevert(wrong);
        house.registerAgreement(MART_TO_CINE + 1, terms, "", "");
        vm.expectRevert(wrong);
        house.setCreditLimit(CINEMA, 1);
        vm.stopPrank();
        vm.startPrank(treasury);
        vm.expectRevert(wrong);
        house.deposit(CINEMA, 1, "new");
        vm.expectRevert(wrong);
        house.withdraw(CINEMA, 1, "new");
        vm.stopPrank();
        vm.startPrank(pauser);
        vm.expectRevert(wrong);
        house.setProgramPaused(FUEL, true);
        vm.expectRevert(wrong);
        house.pause();
        vm.expectRevert(wrong);
        house.unpause();
        vm.stopPrank();

        SignerChange memory change = SignerChange(GAS_STATION, key, 0, 1, 99);
        bytes memory signature = _signature(keyOf[GAS_STATION], _changeDigest(change));
        vm.expectRevert(paused);
        house.changeSigner(change, signature, "");
        bytes memory termination = _terminationBy(GAS_STATION, FUEL_TO_CINE, 1);
        vm.expectRevert(wrong);
        house.terminateAgreement(FUEL_TO_CINE, 1, GAS_STATION, termination);
        vm.prank(admin);
        vm.expectRevert(
            stage == Stage.Frozen ? abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, admin) : wrong
        );
        house.recoverSigner(CINEMA, stranger);
        assertEq(_stateHash(), before);
    }

    function test_AfterAFreezeNothingWorks() public {
        vm.startPrank(admin);
        Ownable2Step(address(house)).transferOwnership(stranger);
        _succession().freeze();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, admin));
        house.setRole(Role.Pauser, admin, true);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, admin));
        _succession().freeze();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, admin));
        _succession().beginImport(Predecessor(1, address(1), 1, 0, "root"));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, admin));
        _succession().open();
        vm.stopPrank();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger));
        Ownable2Step(address(house)).acceptOwnership();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.WrongStage.selector, Stage.Frozen));
        _succession().importLeaves(0, new Leaf[](0), new bytes32[](0));
        _assertNothingWorks(Stage.Frozen);
    }

    function test_APausedHouseCanBeFrozen() public {
        vm.prank(pauser);
        house.pause();
        vm.prank(admin);
        _succession().freeze();
        assertTrue(Pausable(address(house)).paused());
    }

    // ---------------------------------------------------------------- a new house takes over

    function test_TheSuccessorHasTheSameStateAndGoesOn() public {
        _freezeAndReplace();
        vm.expectEmit(address(house));
        emit IClearingHouseSuccession.ImportBegun(_predecessor());
        _begin();
        _importAll();
        vm.expectEmit(address(house));
        emit IClearingHouseSuccession.Opened(closedBatches, chainedHead, 4 * int96(DEPOSIT));
        _open();

        assertEq(_stateHash(), lastState, "the state of the old house");
        assertEq(house.head(), chainedHead, "the journal goes on");
        (Stage stage, Predecessor memory predecessor, uint32 imported) = lens.successionOf();
        assertEq(uint256(stage), uint256(Stage.Operating));
        assertEq(abi.encode(predecessor), abi.encode(_predecessor()));
        assertEq(imported, leaves.length);

        _grantRoles();
        _accept(GAS_STATION, _issue(FUEL, ann, 5));
        _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, ann, 5));
        _refuse(SUPERMARKET, _issue(MART, ann, 1), Reason.ProgramPaused);
    }

    function _replace() private {
        _freezeAndReplace();
        _begin();
        _importAll();
        _open();
        _grantRoles();
    }

    function test_AnEntryOfTheOldHouseIsReversedAtMostInFull() public {
        _replace();
        _refuse(GAS_STATION, _reverse(redeemed, 61), Reason.OverReversal);
        _accept(GAS_STATION, _reverse(redeemed, 60));
        _refuse(GAS_STATION, _reverse(redeemed, 1), Reason.OverReversal);
        uint64 used = lens.usedToday(FUEL_TO_CINE);
        _accept(CINEMA, _reverse(exchanged, 1000));
        assertEq(lens.usedToday(FUEL_TO_CINE), used - 1000, "the day's cap comes back");
    }

    function test_WhatWasUsedStaysUsed() public {
        _replace();
        vm.prank(treasury);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BankRefUsed.selector, bytes32(bankRefs)));
        house.deposit(CINEMA, 1, bytes32(bankRefs));
        OrderDraft memory draft = _order(GAS_STATION, _issue(FUEL, ann, 1));
        draft.nonce = 0;
        _refuseOrder(draft, Reason.NonceUsed);
    }

    function test_OrdersForTheOldHouseAreNotForTheNewOne() public {
        PackedOrder memory signed = _sign(_order(GAS_STATION, _issue(FUEL, ann, 1)));
        _replace();
        _execute(signed);
        assertEq(uint256(refusals[0].reason), uint256(Reason.UnknownSigner));
    }

    function test_ASuccessorCanHaveASuccessor() public {
        _replace();
        _accept(GAS_STATION, _issue(FUEL, bob, 9));
        bytes32 state = _stateHash();
        _replace();
        assertEq(_stateHash(), state);
        _accept(GAS_STATION, _redeem(FUEL, bob, 9));
    }

    function test_ManyLeavesComeInChunks() public {
        for (uint256 i = 0; i < 300; ++i) {
            members.push(address(uint160(1000 + i)));
            if (i % 100 != 0) continue;
            Instruction[] memory instructions = new Instruction[](100);
            for (uint256 j = 0; j < 100; ++j) {
                instructions[j] = _issue(FUEL, address(uint160(1000 + i + j)), uint64(1 + j));
            }
            _execute(_order(GAS_STATION, instructions));
        }
        _freezeAndReplace();
        assertGt(leaves.length, 3 * CHUNK);
        _begin();
        _importFrom(0);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.UnexpectedLeaf.selector, 0, CHUNK));
        this.importFrom(0, 0);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.UnexpectedLeaf.selector, 2 * CHUNK, CHUNK));
        this.importFrom(2 * CHUNK, 2 * CHUNK);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.BadProof.selector, CHUNK));
        this.importFrom(CHUNK, 2 * CHUNK); // another chunk than the next
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.BadChunk.selector, 3, CHUNK));
        _succession().importLeaves(CHUNK, new Leaf[](3), new bytes32[](0));
        for (uint256 first = CHUNK; first < leaves.length; first += CHUNK) {
            _importFrom(first);
        }
        _open();
        assertEq(lens.balanceOf(address(1299), FUEL), 100);
    }

    /// @dev Sends the chunk at `from` as if it began with leaf `first`.
    function importFrom(uint256 first, uint256 from) external {
        _succession().importLeaves(first, _leavesFrom(from), _proofFrom(from));
    }

    // ---------------------------------------------------------------- while it imports

    function test_WhileItImportsNothingElseWorks() public {
        _freezeAndReplace();
        _grantRoles();
        _begin();
        _assertNothingWorks(Stage.Importing);
        _importAll();
        _assertNothingWorks(Stage.Importing);
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.WrongStage.selector, Stage.Importing));
        _succession().freeze();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.WrongStage.selector, Stage.Importing));
        _succession().beginImport(Predecessor(1, address(1), 1, 0, "root"));
        vm.stopPrank();
    }

    function test_OnlyTheOwnerBeginsAndOpens() public {
        _freezeAndReplace();
        Predecessor memory predecessor = _predecessor();
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, operator));
        _succession().beginImport(predecessor);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, operator));
        _succession().open();
        vm.stopPrank();
    }

    function test_OnlyANewHouseBecomesASuccessor() public {
        Predecessor memory predecessor = Predecessor(1, address(1), 1, 0, "root");
        vm.prank(admin);
        vm.expectRevert(IClearingHouseSuccession.NotEmpty.selector);
        _succession().beginImport(predecessor);
        _replace();
        vm.prank(admin);
        vm.expectRevert(IClearingHouseSuccession.NotEmpty.selector);
        _succession().beginImport(predecessor);
    }

    function test_AHouseThatHasDoneAnythingIsNotNew() public {
        _freezeAndReplace();
        _grantRoles();
        uint256 fresh = vm.snapshotState();
        vm.prank(operator);
        house.registerMerchant(1, "x", stranger, 0);
        _assertNotNew();
        vm.revertToState(fresh);
        _setCreditLimit(OPERATOR, 1);
        _assertNotNew();
        vm.revertToState(fresh);
        vm.prank(sequencer);
        house.execute("", new Evidence[](0));
        _assertNotNew();
        vm.revertToState(fresh);
        vm.prank(pauser);
        house.pause(); // which is nothing, and ends with the import
        _begin();
        _importAll();
        _open();
        assertFalse(Pausable(address(house)).paused());
    }

    function _assertNotNew() private {
        Predecessor memory predecessor = _predecessor();
        vm.prank(admin);
        vm.expectRevert(IClearingHouseSuccession.NotEmpty.selector);
        _succession().beginImport(predecessor);
    }

    /// @dev Even one that has nothing, because its predecessor had nothing.
    function test_AHouseHasOnePredecessor() public {
        _freezeAndReplace();
        delete leaves;
        leaves.push(Leaf(LeafKind.Network, 0, 1));
        leaves.push(Leaf(LeafKind.Network, 3, 1));
        leaves.push(Leaf(LeafKind.Merchant, 0, 1));
        Predecessor memory predecessor = _predecessor();
        predecessor.head = 0;
        vm.prank(admin);
        _succession().beginImport(predecessor);
        _importAll();
        _open();
        _assertNotNew();
    }

    function test_APredecessorHasAnAddressLeavesAndARoot() public {
        _freezeAndReplace();
        vm.startPrank(admin);
        vm.expectRevert(IClearingHouseSuccession.BadPredecessor.selector);
        _succession().beginImport(Predecessor(1, address(0), 1, 0, "root"));
        vm.expectRevert(IClearingHouseSuccession.BadPredecessor.selector);
        _succession().beginImport(Predecessor(1, address(1), 0, 0, "root"));
        vm.expectRevert(IClearingHouseSuccession.BadPredecessor.selector);
        _succession().beginImport(Predecessor(1, address(1), 1, 0, 0));
        vm.stopPrank();
    }

    function test_NothingIsImportedAfterTheEnd() public {
        _freezeAndReplace();
        _begin();
        _importAll();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.BadProof.selector, leaves.length));
        _succession().importLeaves(leaves.length, new Leaf[](0), new bytes32[](0));
        _open();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.WrongStage.selector, Stage.Operating));
        this.importFrom(0, 0);
    }

    /// @dev Not even under a root that no honest snapshot has: here a node hashes 0, which is the root of no leaves.
    function test_NoLeavesAreNoChunk() public {
        _freezeAndReplace();
        delete leaves;
        leaves.push(Leaf(LeafKind.Name, 1, 1));
        bytes32[] memory pair = new bytes32[](2);
        bytes32[] memory proof = new bytes32[](1);
        pair[1] = "beside nothing";
        (pair[0], pair[1]) = (_hashes()[0], _root(pair));
        proof[0] = pair[1];
        vm.prank(admin);
        _succession().beginImport(Predecessor(1, address(old), 1, 0, _root(pair)));
        _succession().importLeaves(0, leaves, proof);
        proof = new bytes32[](2);
        (proof[0], proof[1]) = ("beside nothing", pair[0]);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.BadProof.selector, 1));
        _succession().importLeaves(1, new Leaf[](0), proof);
    }

    function test_AHouseOpensOnlyWhenAllIsThere() public {
        _freezeAndReplace();
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.WrongStage.selector, Stage.Operating));
        _succession().open();
        _begin();
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.ImportIncomplete.selector, 0, leaves.length));
        _succession().open();
    }

    // ---------------------------------------------------------------- wrong snapshots

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_AChangedLeafIsNoLeafOfTheSnapshot(uint256 chosen, uint256 flip, uint8 part) public {
        _freezeAndReplace();
        _begin();
        chosen = _bound(chosen, 0, leaves.length - 1);
        vm.assume(flip != 0);
        uint256 first = chosen / CHUNK * CHUNK;
        Leaf[] memory chunk = _leavesFrom(first);
        bytes32[] memory proof = _proofFrom(first);
        if (part % 3 == 0) chunk[chosen - first].word ^= flip;
        else if (part % 3 == 1) chunk[chosen - first].key ^= flip;
        else chunk[chosen - first].kind = LeafKind((uint256(chunk[chosen - first].kind) + 1 + flip % 14) % 15);
        vm.expectRevert();
        _succession().importLeaves(first, chunk, proof);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_AHouseWithOtherPointsOrMoneyNeverOpens(uint256 chosen, uint64 more) public {
        _freezeAndReplace();
        (uint256 count, uint256 place) = (0, 0);
        for (uint256 i = 0; i < leaves.length; ++i) {
            if (_isSummed(leaves[i])) ++count;
        }
        chosen = _bound(chosen, 0, count - 1);
        more = uint64(_bound(more, 1, 1e9));
        for (uint256 i = 0; i < leaves.length; ++i) {
            if (!_isSummed(leaves[i]) || place++ != chosen) continue;
            uint256 shift = leaves[i].kind == LeafKind.Merchant ? 160 : leaves[i].kind == LeafKind.Lot ? 120 : 0;
            if (leaves[i].kind == LeafKind.Program) shift = 192;
            leaves[i].word += uint256(more) << shift;
            break;
        }
        _begin();
        _importAll();
        vm.prank(admin);
        vm.expectPartialRevert(IClearingHouseSuccession.TotalsDiffer.selector);
        _succession().open();
    }

    /// @dev Balances, lots, positions, funds, and the minted side of programs.
    function _isSummed(Leaf memory leaf) private pure returns (bool) {
        if (leaf.kind == LeafKind.Program) return uint8(leaf.key) == 0;
        if (leaf.kind == LeafKind.Network) return leaf.key == 2;
        return leaf.kind == LeafKind.Balances || leaf.kind == LeafKind.Lot || leaf.kind == LeafKind.Merchant;
    }

    function test_ALeafThatComesTwiceIsRefused() public {
        _freezeAndReplace();
        leaves.push(leaves[5]);
        _begin();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.AlreadyImported.selector, leaves.length - 1));
        this.importFrom(0, 0);
    }

    function test_TheAnnouncedHeadIsTheImportedOne() public {
        _freezeAndReplace();
        Predecessor memory predecessor = _predecessor();
        predecessor.head = "another";
        vm.prank(admin);
        _succession().beginImport(predecessor);
        _importAll();
        bytes32 head = old.head();
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.HeadDiffers.selector, head, bytes32("another")));
        _succession().open();
    }

    function test_LeavesWithTheHighestNumbersAndOfEveryKindAreImported() public {
        _freezeAndReplace();
        delete leaves;
        uint256 last = type(uint32).max;
        leaves.push(Leaf(LeafKind.Merchant, last, 10));
        leaves.push(Leaf(LeafKind.Program, last << 8 | 5, 11));
        leaves.push(Leaf(LeafKind.Agreement, last << 8 | 2, 12));
        leaves.push(Leaf(LeafKind.Terms, 99, 13));
        leaves.push(Leaf(LeafKind.Name, 1, 14));
        leaves.push(Leaf(LeafKind.Document, 1, 15));
        _begin();
        for (uint256 i = 0; i < leaves.length; ++i) {
            vm.expectEmit(address(house));
            emit IClearingHouseSuccession.LeafImported(i, leaves[i].kind, leaves[i].key, leaves[i].word);
        }
        _importFrom(0);
        assertEq(_stored(2 + last), 10);
        assertEq(_stored(2 + 2 ** 32 + PROGRAM_SLOTS * last + 5), 11);
        assertEq(_stored(SIGNERS + 4 + 3 * last + 2), 12);
        assertEq(_stored(uint256(keccak256(abi.encode(99, DIGESTS)))), 13);
    }

    function _stored(uint256 slot) private view returns (uint256) {
        return uint256(house.extsload(bytes32(slot)));
    }

    function test_LeavesOfNothingAreRefused() public {
        _freezeAndReplace();
        Leaf[7] memory bad = [
            Leaf(LeafKind.None, 0, 1),
            Leaf(LeafKind.Network, 5, 1),
            Leaf(LeafKind.Merchant, 2 ** 32, 1),
            Leaf(LeafKind.Program, 2 ** 40, 1),
            Leaf(LeafKind.Program, 1 << 8 | 6, 1),
            Leaf(LeafKind.Agreement, 2 ** 40, 1),
            Leaf(LeafKind.Agreement, 1 << 8 | 3, 1)
        ];
        uint256 before = vm.snapshotState();
        for (uint256 i = 0; i < bad.length; ++i) {
            delete leaves;
            leaves.push(bad[i]);
            _begin();
            vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.BadLeaf.selector, 0));
            this.importFrom(0, 0);
            vm.revertToState(before);
        }
    }

    function test_TheNewestBatchComesWithItsPause() public {
        _freezeAndReplace();
        leaves[3].word &= ~uint256(0xff);
        assertEq(leaves[3].key, 3);
        _begin();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.BadLeaf.selector, 3));
        this.importFrom(0, 0);
    }

    function test_AChunkHasItsSize() public {
        _freezeAndReplace();
        _begin();
        Leaf[] memory chunk = new Leaf[](3);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.BadChunk.selector, 3, leaves.length));
        _succession().importLeaves(0, chunk, new bytes32[](0));
    }

    // ---------------------------------------------------------------- the contract behind it

    function test_OnItsOwnTheSuccessionDoesNothing() public {
        IClearingHouseSuccession alone = IClearingHouseSuccession(house.succession());
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, admin));
        alone.freeze();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouseSuccession.WrongStage.selector, Stage.Operating));
        alone.importLeaves(0, new Leaf[](0), new bytes32[](0));
        vm.stopPrank();
    }
}

/// @notice What an import costs, for the snapshot of gas.
contract GasOfSuccessionTest is Snapshots {
    uint256 private constant MANY = 600;

    function test_ImportOfBalances() public {
        for (uint256 i = 0; i < MANY; ++i) {
            members.push(address(uint160(uint256(keccak256(abi.encode("member", i))))));
        }
        for (uint256 first = 0; first < MANY; first += 100) {
            Instruction[] memory instructions = new Instruction[](100);
            for (uint256 i = 0; i < 100; ++i) {
                instructions[i] = _issue(FUEL, members[3 + first + i], 1000);
            }
            _execute(_order(GAS_STATION, instructions));
        }
        _freezeAndReplace();
        _begin();
        for (uint256 first = 0; first < leaves.length; first += CHUNK) {
            _importFrom(first);
            uint256 last = first + CHUNK - 1;
            if (last >= leaves.length || leaves[first].kind != leaves[last].kind) continue;
            bool balances = leaves[first].kind == LeafKind.Balances;
            string memory what = balances ? "import, a leaf of balances" : "import, a lot";
            vm.snapshotValue("ClearingHouse", what, vm.lastCallGas().gasTotalUsed / CHUNK);
        }
        _open();
    }
}
